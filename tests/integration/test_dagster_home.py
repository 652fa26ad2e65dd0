"""Dagster's history may be kept by a PostgreSQL server, whose address stands nowhere."""

import os

import pytest
from conftest import Postgres, Warehouse, free_port

from orchestration.operations.dagster_home import prepare_dagster
from orchestration.settings import UserError

SETTING = "AI_USAGE_DAGSTER_POSTGRES_URL"


def prepare(warehouse: Warehouse, patch: pytest.MonkeyPatch, url: str) -> str:
    patch.setenv(SETTING, url)
    for name in ("DAGSTER_HOME", "DAGSTER_POSTGRES_URL"):
        patch.setenv(name, "")  # and what it was is put back in the end
    prepare_dagster(warehouse.settings)
    assert os.environ["DAGSTER_HOME"] == str(warehouse.home / "dagster")
    return (warehouse.home / "dagster/dagster.yaml").read_text()


def test_postgres_and_back(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, postgres: Postgres
) -> None:
    plain = prepare(warehouse, monkeypatch, "")
    assert "storage" not in plain
    text = prepare(warehouse, monkeypatch, postgres.url())
    assert text.startswith(plain)
    assert "env: DAGSTER_POSTGRES_URL" in text
    assert str(postgres.port) not in text
    assert prepare(warehouse, monkeypatch, "") == plain


def test_wrong_addresses(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, postgres: Postgres
) -> None:
    wrong = "not/it"
    for url, why in (
        (postgres.url(password=wrong), 'says: password authentication failed for user "litellm"'),
        (postgres.url(port=free_port()), "says: no server answers there. "),
        (f"{postgres.url()}_gone", 'says: database "postgres_gone" does not exist'),
        (
            postgres.url().replace("127.0.0.1", "no-such-host.invalid"),
            "says: no server answers there. ",
        ),
        (postgres.url().replace("postgresql:", "postgres:"), "is wrong, and not shown here"),
        (postgres.url().replace("%20", " %"), "is wrong, and not shown here"),
        (postgres.url().replace(f":{postgres.port}", ":port"), "is wrong, and not shown here"),
        (f"postgresql://u:{wrong}@127.0.0.1/postgres", "is wrong, and not shown here"),
        (f"postgresql://u:p@{wrong}@127.0.0.1/postgres", "says: no server answers there. "),
        (f"postgresql://u:p@not@127.0.0.1:{postgres.port}/it", "says: "),
        (postgres.password, "is wrong, and not shown here"),
    ):
        with pytest.raises(UserError) as stopped:
            prepare(warehouse, monkeypatch, url)
        said = str(stopped.value)
        assert SETTING in said
        assert why in said
        assert postgres.password not in said
        assert "pass%20" not in said
        assert wrong not in said
        assert "not@" not in said
        assert stopped.value.__cause__ is None
