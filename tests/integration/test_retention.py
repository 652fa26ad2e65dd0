"""Requests past retention go, and every report stays as it was."""

import json
import shutil
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest
from conftest import Warehouse

from examples.simulator import simulate
from orchestration.archive import PAST_RETENTION, archived_through
from orchestration.dbt import archived_models, project
from orchestration.fingerprints import BuiltFrom, fingerprint, note_built_from
from orchestration.publication import published_build
from orchestration.retention import compact_warehouse, drop_past_retention
from orchestration.settings import UserError

pytestmark = pytest.mark.slow

# The clocks of Berlin are set back on the fifth day.
DAYS, LAST_DAY, KEPT = 12, date(2025, 11, 2), 4


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> list[list[Path]]:
    """What lands for each of three nights: that of twelve days, and twice that of one more."""
    root = tmp_path_factory.mktemp("organisation")
    for number, days in enumerate((DAYS, 1, 1)):
        last = LAST_DAY + timedelta(number)
        simulate(root / str(number), truth=None, days=days, users=12, seed=number, last_day=last)
    return [sorted((root / str(number)).glob("*/*")) for number in range(3)]


def night(warehouse: Warehouse, files: list[Path], today: date) -> None:
    """What the nightly job does, on a day of the test's own."""
    settings = warehouse.settings
    drop_past_retention(settings, archived_models(project()), today)
    for file in files:
        warehouse.land(file, source=file.parent.name)
    warehouse.ingest()
    build(warehouse)


def build(warehouse: Warehouse, *arguments: str) -> None:
    settings = warehouse.settings
    warehouse.build(*arguments)
    before = published_build(settings)
    if before and before.archived_through != str(archived_through(settings) or ""):
        compact_warehouse(settings)
    note_built_from(settings, BuiltFrom(core="this", inputs=fingerprint(settings)))
    warehouse.publish()


def assert_same_reports(one: Warehouse, other: Warehouse) -> None:
    """Every row of every public table, but for the tables of requests and sessions."""
    tables = json.loads((other.home / "published/current/build.json").read_text())["tables"]
    differing = {}
    with duckdb.connect() as connection:
        for name, warehouse in (("one", one), ("other", other)):
            path = warehouse.home / "published/reports.duckdb"
            connection.execute(f"attach '{path}' as {name} (read_only)")
        for table in tables.keys() - {"core.fct_requests", "core.fct_sessions"}:
            for a, b in (("one", "other"), ("other", "one")):
                only = connection.sql(f"from {a}.{table} except all from {b}.{table}").fetchall()
                if only:
                    differing[f"{table}, only in {a}"] = len(only), only[:3]
    assert not differing


def request_ids(warehouse: Warehouse) -> set[str]:
    return {id_ for (id_,) in warehouse.published("select request_id from core.fct_requests")}


@pytest.fixture(scope="module")
def everything(
    nights: list[list[Path]], tmp_path_factory: pytest.TempPathFactory, dbt_target: Path
) -> Warehouse:
    """All that landed, of which every request is kept."""
    with pytest.MonkeyPatch.context() as patch:
        warehouse = Warehouse(tmp_path_factory.mktemp("everything") / "home", dbt_target)
        patch.setenv("AI_USAGE_HOME", str(warehouse.home))
        patch.setenv("AI_USAGE_REPORTING_TIME_ZONE", "Europe/Berlin")
        for file in sum(nights, []):
            warehouse.land(file, source=file.parent.name)
        warehouse.rebuild()
    return warehouse


def test_reports_stay_and_requests_go(
    warehouse: Warehouse,
    everything: Warehouse,
    nights: list[list[Path]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AI_USAGE_REPORTING_TIME_ZONE", "Europe/Berlin")
    monkeypatch.setenv("AI_USAGE_RETENTION_DAYS", str(KEPT))
    for number, files in enumerate(nights):
        night(warehouse, files, LAST_DAY + timedelta(number + 1))
    assert archived_through(warehouse.settings) == LAST_DAY + timedelta(2 - KEPT)
    assert_same_reports(warehouse, everything)
