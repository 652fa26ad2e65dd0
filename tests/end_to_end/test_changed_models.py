"""Code that has changed: what it makes is built whole, and nothing else is.

Of a core table that is built day by day a comment tells: a new table has none.
"""

import json
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import duckdb
import pytest
from conftest import Warehouse
from test_crashes import finish, killed_at, runs_model
from test_nightly_job import Job, copy_of_project

from examples.simulator import simulate
from orchestration.warehouse.fingerprints import BuiltFrom, built_from, note_built_from


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_of_project(tmp_path_factory.mktemp("changed") / "project", is_parsed=True)


@pytest.fixture
def change(project: Path) -> Iterator[Callable]:
    """Replace text in a file of the project, until the test's end."""
    before = {}

    def change_file(name: str, old: str, new: str) -> None:
        path = project / name
        text = path.read_text()
        before.setdefault(path, text)
        assert old in text
        path.write_text(text.replace(old, new))

    yield change_file
    for path, text in before.items():
        path.write_text(text)


def built(job: Job, sql: str) -> list[tuple]:
    with duckdb.connect(str(job.home / "warehouse.duckdb"), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def tables_by_day(job: Job) -> set[str]:
    nodes = json.loads((job.home / "dbt/manifest.json").read_text())["nodes"].values()
    return {node["name"] for node in nodes if node["config"]["materialized"] == "incremental"}


def mark_tables(job: Job) -> None:
    with duckdb.connect(str(job.home / "warehouse.duckdb")) as connection:
        existing = "select table_name from duckdb_tables() where schema_name = 'core'"
        existing = {table for (table,) in connection.execute(existing).fetchall()}
        for table in tables_by_day(job) & existing:
            connection.execute(f"comment on table core.{table} is 'old'")


def rebuilt_tables(job: Job) -> set[str]:
    comments = dict(built(job, "select table_name, comment from duckdb_tables()"))
    return {table for table in tables_by_day(job) if comments[table] is None}


def night(job: Job) -> set[str]:
    """Run it, and return the tables that were built whole."""
    published = (job.published / "current").readlink()
    mark_tables(job)
    code, said = finish(job)
    assert code == 0, said
    assert (job.published / "current").readlink() != published
    return rebuilt_tables(job)


@pytest.mark.slow
def test_only_what_changed_code_makes_is_rebuilt(
    project: Path, tmp_path: Path, change: Callable
) -> None:
    job = Job(project, tmp_path / "home")
    # Working days: a day on which nothing counts is looked at anew each night, with its neighbours.
    last_day = date(2025, 11, 6)
    simulate(job.home / "landing", truth=None, days=3, users=8, seed=3, last_day=last_day)
    assert finish(job)[0] == 0
    all_tables = tables_by_day(job)
    assert {"int_requests", "int_usage_hourly", "int_session_days"} < all_tables
    built_at, reports = (
        "select distinct built_at from core.int_requests",
        "from usage.usage_by_day order by all",
    )
    first, figures = built(job, built_at), built(job, reports)

    # Words, reports, macros of reports alone, and names: these are in each day's version.
    change("models/core/requests/int_requests.yml", "One row per", "One row per (as ever)")
    change(
        "models/core/usage/int_usage_hourly.sql", "with requests as (", "-- x\nwith  requests as("
    )
    change("models/marts/usage/usage_by_day.sql", "from final", "from final where true")
    change("macros/growth.sql", "- 1 as", "- 1.0 as")
    change("seeds/ai_services.csv", "OpenAI", "Our GPT")
    assert night(job) == set()
    assert built(job, built_at) == first
    assert built(job, reports) == figures
    assert job.query("select count(*) from usage.tokens_by_ai where ai_service = 'Our GPT'") == [
        (1,)
    ]

    # A model is changed, the night is killed when its table is built, and the change is undone.
    model = "models/core/sessions/int_session_days.sql"
    responses = "select sum(responses) from core.int_session_days"
    ((right,),) = built(job, responses)
    change(
        model,
        "count(*) filter (where status = 'success')",
        "2 * count(*) filter (where status = 'success')",
    )
    killed_at(job, runs_model("int_usage_daily"), job)
    assert built(job, responses) == [(2 * right,)]
    change(model, "2 * count(*)", "count(*)")
    read_it = {"int_usage_by_user_and_team", "int_usage_daily", "int_usage_by_period"}
    read_it |= {"int_sessions", "int_sessions_by_ai", "int_sessions_by_user"}
    assert night(job) == {"int_session_days"} | read_it
    assert built(job, responses) == [(right,)]
    assert built(job, built_at) == first
    assert built(job, reports) == figures

    # All requests pass through staging.
    change(
        "models/staging/gateway/stg_gateway__requests.sql", "'gateway' as", "lower('gateway') as"
    )
    assert night(job) == all_tables
    assert len(built(job, built_at)) == 1
    assert built(job, built_at) != first
    assert built(job, reports) == figures


CHANGED = """
import json
from orchestration.settings import load_settings
from orchestration.warehouse.checksums import built_by_this_code
from orchestration.warehouse.project import project

print(json.dumps(built_by_this_code(load_settings(), project()).models))
"""


@pytest.mark.slow
def test_what_reads_raw_and_the_archive_counts(
    project: Path, tmp_path: Path, change: Callable
) -> None:
    """It is in no model's own SQL, and of the archive only where something is archived."""
    job = Job(project, tmp_path / "home")

    def checksums(**settings: str) -> set[tuple[str, str]]:
        done = job.python("-c", CHANGED, PYTHONPATH=str(project), **settings)
        assert done.returncode == 0, done.stderr
        return set(json.loads(done.stdout).items())

    first = checksums()
    change("macros/archive.sql", "union_by_name = true", "union_by_name = not false")
    archived = dict(checksums() - first)
    assert {"int_usage_hourly", "int_session_days"} <= archived.keys()
    assert "int_requests" not in archived
    change("macros/archive.sql", "union_by_name = not false", "union_by_name = true")
    change("macros/create_raw_views.sql", "from read_parquet(", "from parquet_scan(")
    raw = dict(checksums() - first)
    assert raw.keys() == dict(first).keys()


def test_what_an_earlier_release_noted_says_nothing(warehouse: Warehouse) -> None:
    settings = warehouse.settings
    noted = BuiltFrom("code", {"int_requests": "checksum"}, "inputs")
    note_built_from(settings, noted)
    assert built_from(settings) == noted
    (warehouse.home / "built_from.json").write_text('{"core": "fingerprint", "inputs": "inputs"}')
    assert built_from(settings) == BuiltFrom()
