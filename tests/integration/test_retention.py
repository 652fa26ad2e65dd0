"""Requests past retention go, and every report stays as it was."""

import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest
from conftest import Warehouse

from examples.simulator import simulate
from orchestration.operations.forget import forget
from orchestration.privacy.erasure import FORGOTTEN
from orchestration.privacy.retention import drop_past_retention
from orchestration.publication.build import published_build
from orchestration.settings import UserError
from orchestration.warehouse.archive import PAST_RETENTION, archived_through
from orchestration.warehouse.file import compact_warehouse
from orchestration.warehouse.fingerprints import BuiltFrom, fingerprint, note_built_from
from orchestration.warehouse.plugins.hash_users import hidden
from orchestration.warehouse.project import archived_models, project

pytestmark = pytest.mark.slow

# The clocks of Berlin are set back on the fifth day.
DAYS, LAST_DAY, KEPT = 12, date(2025, 11, 2), 4
TODAY = LAST_DAY + timedelta(2)
THROUGH = TODAY - timedelta(KEPT + 1)
ONLY_LIVE = {"core.fct_requests", "core.fct_sessions"}
NO_TESTS = ("--exclude-resource-type", "test")


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> list[list[Path]]:
    """What lands for each of two nights: that of twelve days, and that of one more."""
    root = tmp_path_factory.mktemp("organisation")
    for number, days in enumerate((DAYS, 1)):
        last = LAST_DAY + timedelta(number)
        simulate(root / str(number), truth=None, days=days, users=12, seed=number, last_day=last)
    return [sorted((root / str(number)).glob("*/*")) for number in range(2)]


@pytest.fixture(autouse=True)
def berlin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AI_USAGE_REPORTING_TIME_ZONE", "Europe/Berlin")
    monkeypatch.setenv("AI_USAGE_RETENTION_DAYS", str(KEPT))


@pytest.fixture(scope="module")
def homes(
    nights: list[list[Path]], tmp_path_factory: pytest.TempPathFactory, dbt_target: Path
) -> dict[str, Warehouse]:
    """One that keeps every request, and one on the evening before the first days go."""
    made = {}
    for name, landed in (("everything", nights), ("evening", nights[:1])):
        with pytest.MonkeyPatch.context() as patch:
            made[name] = Warehouse(tmp_path_factory.mktemp(name) / "home", dbt_target)
            patch.setenv("AI_USAGE_HOME", str(made[name].home))
            patch.setenv("AI_USAGE_REPORTING_TIME_ZONE", "Europe/Berlin")
            land(made[name], itertools.chain(*landed))
            build(made[name], *NO_TESTS)
    return made


@pytest.fixture
def evening(homes: dict[str, Warehouse], warehouse: Warehouse) -> Warehouse:
    shutil.copytree(homes["evening"].home, warehouse.home, symlinks=True)
    return warehouse


@pytest.fixture
def everything(homes: dict[str, Warehouse]) -> Warehouse:
    return homes["everything"]


def land(warehouse: Warehouse, files: itertools.chain | list[Path]) -> None:
    for file in files:
        warehouse.land(file, source=file.parent.name)
    warehouse.ingest()


def drop(warehouse: Warehouse, today: date) -> None:
    drop_past_retention(warehouse.settings, archived_models(project()), today)


def build(warehouse: Warehouse, *arguments: str) -> None:
    """Build and publish as the nightly job does."""
    settings = warehouse.settings
    warehouse.build(*arguments)
    before = published_build(settings)
    if before and before.archived_through != str(archived_through(settings) or ""):
        compact_warehouse(settings)
    note_built_from(settings, BuiltFrom(inputs=fingerprint(settings)))
    warehouse.publish()


def assert_same_reports(one: Warehouse, other: Warehouse, but_for: str | None = None) -> None:
    """Every row of every public table, but for the tables of requests and sessions."""
    tables = json.loads((other.home / "published/current/build.json").read_text())["tables"]
    assert {"technical.session_lengths", "usage.total_prompts_by_ai"} < set(tables)
    differing = {}
    with duckdb.connect() as connection:
        for name, warehouse in (("one", one), ("other", other)):
            path = warehouse.home / "published/reports.duckdb"
            connection.execute(f"attach '{path}' as {name} (read_only)")
        for table in tables.keys() - ONLY_LIVE - {but_for}:
            for a, b in (("one", "other"), ("other", "one")):
                only = connection.sql(f"from {a}.{table} except all from {b}.{table}").fetchall()
                if only:
                    differing[f"{table}, only in {a}"] = len(only), only[:3]
    assert not differing


def files_naming(home: Path, texts: set[str]) -> set[str]:
    """Every file but the landed ones that has one of the texts, as bytes or in its tables."""
    found = set()
    for path in (path for path in home.rglob("*") if path.is_file() and not path.is_symlink()):
        words = set(re.findall(rb"[\w./@-]+", content := path.read_bytes()))
        with duckdb.connect() as connection:
            tables = []
            if path.suffix == ".parquet":
                tables = [f"read_parquet('{path}')"]
            if path.suffix == ".duckdb":
                connection.execute(f"attach '{path}' as it (read_only)")
                tables = [
                    f"it.{schema}.{name}"
                    for schema, name in connection.execute(
                        "select schema_name, table_name from duckdb_tables()"
                    ).fetchall()
                ]
            for table in tables:
                content = connection.sql(f"from {table}").df().to_csv().encode()
                words |= set(re.findall(rb"[\w./@-]+", content))
        if words & {text.encode() for text in texts}:
            found.add(path.relative_to(home).parts[0])
    return found - {"landing"}


def test_reports_stay_and_requests_go(
    evening: Warehouse,
    everything: Warehouse,
    nights: list[list[Path]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ids = "select request_id from core.fct_requests where usage_date"
    # Of the last day past retention raw/ keeps the UTC days that it touches, and so the day before.
    gone = {row[0] for row in everything.published(f"{ids} < '{THROUGH - timedelta(1)}'")}
    places = {"raw", "published", "warehouse.duckdb"}
    assert files_naming(evening.home, gone) == places

    drop(evening, TODAY - timedelta(1))
    land(evening, nights[1])
    build(evening, *NO_TESTS)
    drop(evening, TODAY)
    build(evening)
    assert archived_through(evening.settings) == THROUGH
    assert_same_reports(evening, everything)
    for table in ONLY_LIVE:
        [(first, rows)] = evening.published(f"select min(usage_date), count(*) from {table}")
        assert first == THROUGH + timedelta(1)
        whole = f"select count(*) from {table} where usage_date >= '{first}'"
        assert rows >= everything.published(whole)[0][0] > 40
    left = {row[0] for row in evening.published("select request_id from core.fct_requests")}
    assert files_naming(evening.home, gone) == set()
    assert files_naming(evening.home, left) == places

    # What is late for such a day is told, and kept nowhere; so is what is no event, and old.
    late = {"requested_at": f"{THROUGH}T12:00:00Z", "user_id": "ann", "input_tokens": 20}
    late |= {"provider": "openai", "model": "gpt-4o", "output_tokens": 10}
    # So many that they would pass for a new format, were they rejected for one of its fields.
    lines = [json.dumps(late | {"request_id": f"late-{n}"}) for n in range(40)]
    file = evening.write("gateway/late.jsonl", "\n".join([*lines, "no event at all"]))
    os.utime(file, (0, 1_700_000_000))
    rejections = evening.ingest()["gateway"].rejections
    assert ("gateway/late.jsonl", 1, PAST_RETENTION) in rejections
    assert files_naming(evening.home, {"late-0"}) == set()
    # From nothing but raw/ and the archive, and with its users hidden.
    (evening.home / "warehouse.duckdb").unlink()
    build(evening)
    assert_same_reports(evening, everything, but_for="technical.data_quality")
    counted = "select sum(events_received), sum(events_rejected) from technical.data_quality"
    [(received, rejected)] = everything.published(counted)
    assert evening.published(counted) == [(received + 41, rejected + 41)]

    totals = "select usage_date, user_id, prompts, total_tokens from usage.usage_by_user"
    shown = everything.published(totals)
    key = "a key of more than 16 characters"
    monkeypatch.setenv("AI_USAGE_HIDE_USERS", "true")
    monkeypatch.setenv("AI_USAGE_HIDING_KEY", key)
    build(evening, *NO_TESTS)
    assert set(evening.published(totals)) == {
        (day, user if user == "(unknown)" else hidden(user, key), *figures)
        for day, user, *figures in shown
    }
    users = {row[1] for row in shown} - {"(unknown)"}
    assert files_naming(evening.home / "published", users) == set()

    monkeypatch.setenv("AI_USAGE_REPORTING_TIME_ZONE", "UTC")
    with pytest.raises(UserError, match="Set it back in dbt_project"):
        drop(evening, TODAY)


KILL = """
import os, shutil, signal, sys
from datetime import date
from orchestration.privacy import retention
from orchestration.warehouse.project import archived_models, project
from orchestration.settings import load_settings

def kill(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

where, today = sys.argv[1:]
if where == "while it is written":
    retention._compare = kill
elif where == "before it is in place":
    retention.json.dumps = kill
elif where == "before anything is removed":
    retention._remove_archived = kill
else:
    removed, remove = [], shutil.rmtree
    def one_more(path, **arguments):
        removed.append(path)
        kill() if len(removed) == 4 else remove(path, **arguments)
    retention.shutil.rmtree = one_more
retention.drop_past_retention(
    load_settings(), archived_models(project()), date.fromisoformat(today)
)
"""


def contents(warehouse: Warehouse) -> dict[str, object]:
    """What raw/ and the archive hold."""
    return {
        str(path.relative_to(warehouse.home)): path.suffix != ".parquet"
        or sorted(map(str, duckdb.sql(f"from read_parquet('{path}')").fetchall()))
        for name in ("raw", "archive")
        for path in (warehouse.home / name).rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize(
    "where",
    [
        "while it is written",
        "before it is in place",
        "before anything is removed",
        "while raw is removed",
    ],
)
def test_killed(
    evening: Warehouse, homes: dict[str, Warehouse], where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(evening)
    killed = subprocess.run(
        [sys.executable, "-c", KILL, where, str(TODAY)], capture_output=True, text=True
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    is_archived = archived_through(evening.settings) is not None
    assert is_archived == (where in ("before anything is removed", "while raw is removed"))
    after_kill = contents(evening)
    if not is_archived:
        assert after_kill == before
    if where == "before anything is removed":
        # Whoever builds now has no day twice, though all of it is in raw/ still.
        assert before.keys() < after_kill.keys()
        build(evening)
        assert_same_reports(evening, homes["evening"])
    drop(evening, TODAY)
    monkeypatch.setenv("AI_USAGE_HOME", str(evening.home.parent / "clean"))
    clean = Warehouse(evening.home.parent / "clean", evening.target)
    shutil.copytree(homes["evening"].home, clean.home, symlinks=True)
    drop(clean, TODAY)
    assert contents(evening) == contents(clean) != before


def test_what_differs_from_what_was_published_is_not_archived(evening: Warehouse) -> None:
    before = contents(evening)
    with duckdb.connect(str(evening.home / "warehouse.duckdb")) as connection:
        connection.execute("update core.int_usage_hourly set requests = requests + 1")
    with pytest.raises(UserError, match="Nothing was removed"):
        drop(evening, TODAY)
    assert contents(evening) == before


def test_not_before_all_is_published(evening: Warehouse) -> None:
    before = contents(evening)
    evening.write("gateway/bad.jsonl", "no event at all\n")
    evening.ingest()
    drop(evening, TODAY)
    assert archived_through(evening.settings) is None
    assert before.keys() < contents(evening).keys()


def test_forget(evening: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two people who used the same AI at the same time: what was theirs adds up."""
    monkeypatch.setattr("orchestration.operations.forget.run", lambda _: build(evening, *NO_TESTS))
    drop(evening, TODAY)
    hourly = f"{evening.home}/archive/*/int_usage_hourly.parquet"
    pairs = f"""
        from '{hourly}' as one join '{hourly}' as other using (usage_hour, provider, model, source)
        select one.user_id, other.user_id
        where one.user_id < other.user_id
    """
    two = duckdb.sql(f"{pairs} limit 1").fetchone()
    totals = """
        select ai_service, sum(requests), sum(total_tokens), sum(cost_usd)
        from cost.cost_by_day_ai_and_user group by all
    """
    whose = f"{totals.replace('select', 'select user_id,')} having user_id in {two} order by all"
    before, theirs = set(evening.published(totals)), evening.published(whose)
    assert {row[0] for row in theirs} == set(two)
    for user in two:
        forget(evening.settings, user, is_sure=True)
        assert files_naming(evening.home, {user}) == set()
    assert set(evening.published(totals)) == before
    evening.dbt("test", "--exclude-resource-type", "unit_test")
    nobodys = evening.published(whose.replace(str(two), f"('{FORGOTTEN}')"))
    assert sum(row[3] for row in nobodys) == sum(row[3] for row in theirs)


def test_an_archive_of_an_earlier_release(
    evening: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It knows neither teams nor who waited how long; all that it has stays in the reports."""
    drop(evening, TODAY)
    shared = "select usage_date, ai_service, sum({}) from {} group by all order by all"
    kept = [
        shared.format("responses", "technical.response_times"),
        shared.format("total_tokens", "usage.tokens_by_day_and_ai"),
    ]
    before = [evening.published(query) for query in kept]
    for folder in evening.settings.archive.iterdir():
        (folder / "archive.sha256").unlink()
        for name in ("int_failures_daily", "int_usage_by_user_hourly"):
            (folder / f"{name}.parquet").unlink()
        for name, query in {
            "int_usage_hourly": "select * exclude (team_id)",
            "int_session_days": "select * exclude (team_id)",
            "int_response_time_buckets": "select usage_date, ai_service, bucket, users_are_hidden, "
            "sum(responses)::bigint as responses",
        }.items():
            path = folder / f"{name}.parquet"
            by = "group by all" if "sum(" in query else ""
            duckdb.sql(f"copy ({query} from '{path}' {by}) to '{path}.new' (format parquet)")
            path.with_name(f"{path.name}.new").replace(path)
    evening.settings.warehouse.unlink()
    build(evening)
    assert [evening.published(query) for query in kept] == before
    archived = f"usage_date <= '{THROUGH}'"
    teams = f"select distinct team_id from usage.usage_by_team where {archived}"
    assert evening.published(teams) == [("(no team)",)]
    hours = f"select count(*), count(prompts) from cost.time_of_use_by_user where {archived}"
    [(rows, with_prompts)] = evening.published(hours)
    assert rows > 0 == with_prompts

    user = evening.published(f"select min(user_id) from usage.usage_by_user where {archived}")[0][0]
    monkeypatch.setattr("orchestration.operations.forget.run", lambda _: build(evening, *NO_TESTS))
    forget(evening.settings, user, is_sure=True)
    assert files_naming(evening.home, {user}) == set()
    monkeypatch.setenv("AI_USAGE_HIDE_USERS", "true")
    monkeypatch.setenv("AI_USAGE_HIDING_KEY", "a key of more than 16 characters")
    build(evening, *NO_TESTS)
    assert [evening.published(query) for query in kept] == before
