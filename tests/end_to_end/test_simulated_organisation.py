"""A month of an organisation: its true totals, in whatever portions and order it is delivered."""

import csv
import json
import os
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from random import Random

import duckdb
import pytest
from conftest import NO_DATA_TESTS, Warehouse, hostile_people

from examples.delivery import GROUP, MEASURES
from examples.simulator import simulate

pytestmark = pytest.mark.slow

# Both Europe and the United States set their clocks back within these days.
DAYS, USERS, LAST_DAY = 30, 12, date(2025, 11, 10)
PROXY = "litellm.acme.example:4000"
ZONES = ("UTC", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe")
Portions = list[list[Path]]


@pytest.fixture(scope="module")
def organisation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that holds landing/ and truth/."""
    root = tmp_path_factory.mktemp("organisation")
    folders = {"landing": root / "landing", "truth": root / "truth"}
    with hostile_people():
        simulate(**folders, days=DAYS, users=USERS, seed=3, last_day=LAST_DAY)
    return root


@pytest.fixture(scope="module")
def in_one_load(
    organisation: Path, tmp_path_factory: pytest.TempPathFactory, dbt_target: Path
) -> Callable[[str], Warehouse]:
    """A function that returns the warehouse of a time zone that took in everything at once."""
    made: dict[str, Warehouse] = {}

    def make(zone: str) -> Warehouse:
        if zone not in made:
            home = tmp_path_factory.mktemp("one_load") / "home"
            with pytest.MonkeyPatch.context() as monkeypatch:
                monkeypatch.setenv("AI_USAGE_HOME", str(home))
                monkeypatch.setenv("AI_USAGE_REPORTING_TIME_ZONE", zone)
                made[zone] = Warehouse(home, dbt_target)
                land(made[zone], sorted((organisation / "landing").glob("*/*")))
                made[zone].rebuild()
        return made[zone]

    return make


def land(warehouse: Warehouse, files: list[Path]) -> None:
    for file in files:
        warehouse.land(file, source=file.parent.name)


def portions(organisation: Path, number: int) -> Portions:
    """All landing files by the day of their delivery, in so many portions of whole days."""
    files = sorted((organisation / "landing").glob("*/*"), key=lambda file: file.name[:10])
    days = sorted({file.name[:10] for file in files})
    portion = {day: i * number // len(days) for i, day in enumerate(days)}
    return [[f for f in files if portion[f.name[:10]] == n] for n in range(number)]


def deliver(warehouse: Warehouse, nights: Portions) -> None:
    """Take in one portion a night. In between only what is built day by day keeps anything."""
    for night, files in enumerate(nights):
        land(warehouse, files)
        taken_in = warehouse.ingest()
        assert sum(summary.files for summary in taken_in.values()) == len(files)
        if night == len(nights) - 1:
            warehouse.build()
        elif night == 0:
            warehouse.build(*NO_DATA_TESTS)
        else:
            warehouse.dbt("run", "--select", "staging", "core")
    warehouse.publish()


def true_totals(organisation: Path) -> dict[tuple[str, ...], tuple]:
    with (organisation / "truth/totals.csv").open(newline="", encoding="utf-8") as file:
        return {
            tuple(row[name] for name in GROUP): (
                *(int(row[name]) for name in (*MEASURES, "prompts")),
                Decimal(row["reported_cost_usd"]),
            )
            for row in csv.DictReader(file)
        }


def reported_totals(warehouse: Warehouse) -> dict[tuple[str, ...], tuple]:
    """The same, of the published requests; days are UTC whatever the reporting time zone.

    Whether nothing was told or zero, the recomputation sees to; here both add up to nothing.
    """
    added_up = [f"coalesce(sum({name}), 0)" for name in (*MEASURES[4:], "reported_cost_usd")]
    rows = warehouse.published(
        f"""
        select
            cast(cast(requested_at as date) as varchar), source, user_id, team_id, provider, model,
            coalesce(service_tier, ''), count(*), count(*) filter (status = 'success'),
            count(*) filter (status = 'failure'), count(*) filter (is_cache_hit),
            {", ".join(added_up[:-1])}, count(distinct prompt_id), {added_up[-1]}
        from core.fct_requests
        group by all
        """
    )
    return {row[: len(GROUP)]: row[len(GROUP) :] for row in rows}


def assert_totals_are_true(warehouse: Warehouse, organisation: Path) -> None:
    assert reported_totals(warehouse) == true_totals(organisation)
    overall = json.loads((organisation / "truth/overall.json").read_text())
    totals = "select count(*), count(distinct prompt_id), count(distinct user_id) from "
    assert warehouse.published(totals + "core.fct_requests") == [
        (overall["requests"], overall["prompts"], overall["users"])
    ]
    events = warehouse.published(
        """
        select
            source, sum(events_received), sum(events_accepted), sum(events_rejected),
            bool_and(events_received = events_accepted + events_rejected),
            bool_and(events_accepted = requests + duplicates + non_usage_events),
            sum(late_events)
        from technical.data_quality
        group by all
        """
    )
    delivered = {
        source: counts["events_delivered"] for source, counts in overall["sources"].items()
    }
    assert {row[0]: row[1:6] for row in events} == {
        source: (number, number, 0, True, True) for source, number in delivered.items()
    }
    late = {row[0]: row[6] for row in events}
    for source, counts in overall["sources"].items():
        # A duplicate may be late too, which the truth does not count. Elsewhere than in UTC a file
        # of the small hours may be of the same local day as the late event in it.
        at_least = counts["late_events"] if warehouse_is_utc(warehouse) else 1
        assert at_least <= late[source] < 0.1 * delivered[source]


def warehouse_is_utc(warehouse: Warehouse) -> bool:
    build = json.loads((warehouse.home / "published/current/build.json").read_text())
    return build["reporting_time_zone"] == "UTC"


def assert_same_tables(one: Warehouse, other: Warehouse, but_for: str | None = None) -> None:
    """Every row of every public table, in all columns."""
    tables = json.loads((other.home / "published/current/build.json").read_text())["tables"]
    assert {"core.fct_requests", "technical.data_quality"} < set(tables)
    differing = {}
    with duckdb.connect() as connection:
        for name, warehouse in (("one", one), ("other", other)):
            path = warehouse.home / "published/reports.duckdb"
            connection.execute(f"attach '{path}' as {name} (read_only)")
        for table in tables.keys() - {but_for}:
            for a, b in (("one", "other"), ("other", "one")):
                only = connection.sql(f"from {a}.{table} except all from {b}.{table}").fetchall()
                if only:
                    differing[f"{table}, only in {a}"] = len(only), only[:3]
    assert not differing


def test_in_one_load(in_one_load: Callable[[str], Warehouse], organisation: Path) -> None:
    warehouse = in_one_load("UTC")
    assert_totals_are_true(warehouse, organisation)
    days = "select count(*) from core.fct_requests where usage_date <> cast(requested_at as date)"
    assert warehouse.published(days) == [(0,)]


def test_known_clients_view_changes_no_total(
    warehouse: Warehouse, organisation: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Spans that applications send of their calls to LiteLLM, with its address in the settings."""
    monkeypatch.setenv("AI_USAGE_GATEWAY_ADDRESSES", PROXY)
    deliver(warehouse, portions(organisation, 1))
    assert_totals_are_true(warehouse, organisation)
    views = json.loads((organisation / "truth/overall.json").read_text())["sources"]["otel"]
    non_usage = "select sum(non_usage_events) from technical.data_quality where source = 'otel'"
    assert warehouse.published(non_usage)[0][0] >= views["client_views"]


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize(
    "nights",
    [pytest.param(10, marks=pytest.mark.slow), pytest.param(DAYS, marks=pytest.mark.faults)],
)
def test_night_by_night(
    in_one_load: Callable[[str], Warehouse],
    warehouse: Warehouse,
    organisation: Path,
    monkeypatch: pytest.MonkeyPatch,
    nights: int,
    zone: str,
) -> None:
    """Each night the files of three days; in make faults those of one."""
    monkeypatch.setenv("AI_USAGE_REPORTING_TIME_ZONE", zone)
    deliver(warehouse, portions(organisation, nights))
    assert_totals_are_true(warehouse, organisation)
    assert_same_tables(warehouse, in_one_load(zone))


@pytest.mark.parametrize("zone", ZONES)
def test_in_any_order(
    in_one_load: Callable[[str], Warehouse],
    warehouse: Warehouse,
    organisation: Path,
    monkeypatch: pytest.MonkeyPatch,
    zone: str,
) -> None:
    """A week was missed, the oldest files come last or in between, and some come once more."""
    monkeypatch.setenv("AI_USAGE_REPORTING_TIME_ZONE", zone)
    weeks = portions(organisation, 4)
    Random(zone).shuffle(weeks)
    deliver(warehouse, weeks)
    assert_totals_are_true(warehouse, organisation)
    assert_same_tables(warehouse, in_one_load(zone))

    for file in weeks[0]:
        os.utime(warehouse.landing / file.parent.name / file.name)
    warehouse.rebuild()
    assert reported_totals(warehouse) == true_totals(organisation)
    assert_same_tables(warehouse, in_one_load(zone), but_for="technical.data_quality")
