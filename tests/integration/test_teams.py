"""The seed teams goes before what gateways tell, on its days, and rebuilds no other."""

import json
from pathlib import Path

import duckdb
import pytest
from conftest import PROJECT, Warehouse

from orchestration.operations.forget import forget
from orchestration.settings import UserError

pytestmark = pytest.mark.slow

KEY = "correct horse 'battery' staple"


def request(day: int, user_id: str, team_id: str | None) -> str:
    event = {
        "request_id": f"{len(team_id or '')} {day}",
        "requested_at": f"2026-03-0{day}T10:00:00Z",
    }
    event |= {"provider": "openai", "model": "gpt-4o", "input_tokens": 100, "output_tokens": 10}
    return json.dumps(event | {"user_id": user_id, "team_id": team_id}) + "\n"


@pytest.fixture
def three_days(warehouse: Warehouse) -> Warehouse:
    people = [("ada", "told"), ("bob", None)]
    events = [request(day, *person) for day in (1, 2, 3) for person in people]
    warehouse.write("gateway/1.jsonl", "".join(events))
    warehouse.ingest()
    warehouse.build("--exclude-resource-type", "test")
    return warehouse


def say(warehouse: Warehouse, *rows: str) -> None:
    """Have the seed as it would be after somebody has edited it."""
    with duckdb.connect(str(warehouse.home / "warehouse.duckdb")) as connection:
        connection.execute("delete from seeds.teams")
        for row in rows:
            connection.execute(f"insert into seeds.teams values ({row})")


def build(warehouse: Warehouse) -> None:
    warehouse.dbt(
        "build", "--exclude", "resource_type:unit_test", "resource_type:seed", "resource_type:test"
    )


def versions(warehouse: Warehouse) -> dict[str, str]:
    rows = "select distinct usage_date::varchar, requests_version from core.int_usage_hourly"
    return dict(warehouse.query(rows))


def test_a_changed_seed_rebuilds_the_days_that_it_touches(three_days: Warehouse) -> None:
    before = versions(three_days)
    say(three_days, "'ada', 'sales', '2026-03-02', '2026-03-03'", "'eve', 'sales', null, null")
    build(three_days)
    now = versions(three_days)
    assert [day for day in before if before[day] != now[day]] == ["2026-03-02"]
    told = "select usage_date::varchar, user_id, team_id from core.fct_requests order by all"
    assert three_days.query(told) == [
        ("2026-03-01", "ada", "told"),
        ("2026-03-01", "bob", None),
        ("2026-03-02", "ada", "sales"),
        ("2026-03-02", "bob", None),
        ("2026-03-03", "ada", "told"),
        ("2026-03-03", "bob", None),
    ]
    newest = "select user_id, team_id from core.dim_users order by all"
    assert three_days.query(newest) == [("ada", "told"), ("bob", None)]
    say(three_days)
    build(three_days)
    assert versions(three_days) == before


def test_hidden_users_have_their_teams(
    three_days: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    say(three_days, "'ada', 'sales', null, null")
    monkeypatch.setenv("AI_USAGE_HIDE_USERS", "true")
    monkeypatch.setenv("AI_USAGE_HIDING_KEY", KEY)
    build(three_days)
    teams = "select team_id, count(*) from core.fct_requests group by all order by all"
    assert three_days.query(teams) == [("sales", 3), (None, 3)]
    three_days.publish()
    for path in (three_days.home / "published").rglob("*.parquet"):
        assert "ada" not in duckdb.sql(f"from read_parquet('{path}')").df().to_csv()


@pytest.mark.parametrize(
    ("rows", "to_do"),
    [
        (["'ada', 'a', null, null", "'ada', 'b', '2026-03-02', null"], "overlaps the row of a"),
        (["null, 'a', null, null"], "write whose team it is"),
        (["'ada', ' ', null, null"], "write a team"),
        (["'ada', 'a', '2026-03-02', '2026-03-02'"], "let it lie after valid_from"),
    ],
)
def test_an_impossible_row_is_named(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, rows: list[str], to_do: str
) -> None:
    warehouse.build("--select", "teams", "--exclude-resource-type", "test")
    test = ("test", "--select", "assert_teams_are_possible")
    say(warehouse, "'ada', 'a', null, '2026-03-02'", "'ada', 'b', '2026-03-02', null")
    warehouse.dbt(*test)
    say(warehouse, *rows)
    assert "FAIL 1" in warehouse.dbt(*test, check=False)
    query = Path(warehouse.target, "compiled/ai_usage/tests/singular/assert_teams_are_possible.sql")
    [(*_, said)] = warehouse.query(query.read_text())
    assert to_do in said


def test_forgetting_names_the_seeds_lines(
    three_days: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "seeds" / "teams.csv"
    file.parent.mkdir()
    head = (PROJECT / "seeds/teams.csv").read_text()
    file.write_text(head + "bob,sales,,\nada,sales,,2026-03-02\nbob,ada,,\n")
    monkeypatch.setattr("orchestration.privacy.searching.TEAMS", file)
    with pytest.raises(UserError, match=r"seeds/teams.csv, line 3 names them: remove the line"):
        forget(three_days.settings, "ada")
    assert three_days.query("select 1 from core.fct_requests where user_id = 'ada' limit 1")
