"""Where users are hidden, nothing that people read tells who they are, and no total changes."""

import hashlib
import json
from pathlib import Path

import pytest
from conftest import PROJECT, Warehouse, files_naming

from orchestration.settings import UserError

pytestmark = pytest.mark.slow

KEY = "correct horse 'battery' staple"
TOTALS = "select count(*), sum(total_tokens), sum(cost_usd) from core.fct_requests"


def request(number: int, user_id: str | None, user_name: str | None) -> str:
    event = {"request_id": f"r{number}", "requested_at": f"2026-01-0{number}T10:00:00Z"}
    event |= {"provider": "openai", "model": "gpt-4o", "input_tokens": 100, "output_tokens": 10}
    return json.dumps(event | {"user_id": user_id, "user_name": user_name}) + "\n"


def hidden(user_id: str, key: str = KEY) -> str:
    inner = hashlib.sha256((key + user_id).encode()).hexdigest()
    return hashlib.sha256((key + inner).encode()).hexdigest()[:24]


def test_users_are_hidden(
    warehouse: Warehouse, dbt_target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [("ada@example.org", "Ada Lovelace"), ("bob", "Bob"), ("ada@example.org", None)]
    events = [request(n, *person) for n, person in enumerate([*people, (None, None)], 1)]
    warehouse.write("gateway/1.jsonl", "".join(events))
    warehouse.rebuild()
    totals = warehouse.published(TOTALS)
    users = "select user_id, user_name from core.dim_users order by 1"
    assert ("ada@example.org", "Ada Lovelace") in warehouse.published(users)

    monkeypatch.setenv("AI_USAGE_HIDE_USERS", "true")
    monkeypatch.setenv("AI_USAGE_HIDING_KEY", KEY)
    # One file more, so that a version before this one would be kept with all the names.
    warehouse.write("gateway/2.jsonl", request(5, "bob", "Bob"))
    warehouse.ingest()
    warehouse.build()
    shown = (warehouse.home / "published/current").resolve()
    is_there: list[bool] = []
    # DuckDB follows links before it opens a file.
    monkeypatch.setattr(
        "orchestration.publication.sleep", lambda _: is_there.append(shown.exists())
    )
    warehouse.publish(page=True)
    assert (is_there, shown.exists()) == ([True], False)
    (requests, *_), *_ = totals
    assert warehouse.published(TOTALS)[0][0] == requests + 1
    both = [hidden("ada@example.org"), hidden("bob")]
    shown = sorted([(user, user) for user in [*both, "(unknown)"]])
    assert warehouse.published(users) == shown
    assert files_naming(warehouse.home / "published", "ada@", "Lovelace", "bob", "Bob") == []
    # The key is told nowhere, not even by dbt.
    for folder in (warehouse.home, dbt_target, PROJECT / "logs", PROJECT / "target"):
        assert files_naming(folder, KEY, "battery") == []

    # With another key they are others, all of them, and so they are when shown again.
    monkeypatch.setenv("AI_USAGE_HIDING_KEY", KEY[::-1])
    warehouse.build()
    ids = "select distinct user_id from core.fct_requests where user_id is not null order by 1"
    other = sorted(hidden(user, KEY[::-1]) for user in ("ada@example.org", "bob"))
    assert [user for (user,) in warehouse.query(ids)] == other
    monkeypatch.delenv("AI_USAGE_HIDING_KEY")
    with pytest.raises(UserError, match="AI_USAGE_HIDING_KEY has 0 characters"):
        _ = warehouse.settings
    monkeypatch.setenv("AI_USAGE_HIDE_USERS", "false")
    warehouse.build()
    assert warehouse.query(ids) == [("ada@example.org",), ("bob",)]


def test_dbt_alone_refuses_to_hide_without_a_key(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    _ = warehouse.settings
    monkeypatch.setattr(Warehouse, "settings", None)
    build = ("build", "--select", "dim_users")
    printed = warehouse.dbt(*build, "--vars", "hide_users: true", check=False)
    assert "AI_USAGE_HIDING_KEY is not set" in printed
    monkeypatch.setenv("AI_USAGE_HIDE_USERS", "true")
    printed = warehouse.dbt(*build, check=False)
    assert "AI_USAGE_HIDING_KEY has 0 characters" in printed
    assert "Traceback" not in printed
