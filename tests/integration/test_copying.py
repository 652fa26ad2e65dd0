"""What is published is what was built, whether its requests were taken over or written anew."""

import json
from pathlib import Path

import duckdb
import pytest
from conftest import Warehouse

from orchestration.publication.tables import changed_days

BY_DAY = {
    ("core", "fct_requests"),
    ("cost", "time_of_use_by_user"),
    ("technical", "response_times_by_user"),
    ("usage", "usage_by_ai_user_and_team"),
}
PUBLISHED_DIFFERS = """
    with built as (from warehouse.{schema}.{table}),
    copied as (from reports.{schema}.{table}),
    parquet as (from read_parquet('{parquet}/{schema}/{table}/*.parquet'))

    (from built except all from copied) union all (from copied except all from built)
    union all
    (from built except all from parquet) union all (from parquet except all from built)
"""


def land(warehouse: Warehouse, name: str, *days: str, requests: int = 3) -> None:
    events = [
        {
            "request_id": f"{name}-{day}-{number}",
            "requested_at": f"{day}T10:0{number}:00Z",
            "provider": "openai",
            "model": "gpt-4o",
            "user_id": "ann",
            "input_tokens": 100,
            "output_tokens": 10,
            "response_time_ms": 100 + number,
        }
        for day in days
        for number in range(requests)
    ]
    warehouse.write(f"gateway/{name}.jsonl", "\n".join(map(json.dumps, events)))


def differences(warehouse: Warehouse) -> list[tuple]:
    with duckdb.connect() as connection:
        for name, file in (
            ("warehouse", warehouse.home / "warehouse.duckdb"),
            ("reports", warehouse.home / "published/reports.duckdb"),
        ):
            connection.execute(f"attach '{file}' as {name} (read_only)")
        parquet = warehouse.home / "published/parquet"
        assert {path.parts[-2:] for path in parquet.glob("*/*") if path.is_dir()} == BY_DAY
        differing = []
        for schema, table in BY_DAY:
            query = PUBLISHED_DIFFERS.format(parquet=parquet, schema=schema, table=table)
            differing += connection.execute(query).fetchall()
        return differing


def month(warehouse: Warehouse, name: str, table: str = "core/fct_requests") -> Path:
    return warehouse.home / f"published/parquet/{table}/{name}.parquet"


def test_only_changed_days_are_copied(warehouse: Warehouse) -> None:
    land(warehouse, "first", "2026-01-30", "2026-01-31", "2026-02-01", "2026-02-02", "2026-02-03")
    warehouse.rebuild()
    assert differences(warehouse) == []
    january, february = (month(warehouse, f"2026-0{n}").stat().st_ino for n in (1, 2))
    sums = month(warehouse, "2026-01", "usage/usage_by_ai_user_and_team").stat().st_ino

    land(warehouse, "late", "2026-02-02")
    land(warehouse, "new", "2026-02-04")
    warehouse.rebuild()
    assert differences(warehouse) == []
    assert warehouse.published("select count(*) from core.fct_requests") == [(21,)]
    assert month(warehouse, "2026-01").stat().st_ino == january
    assert month(warehouse, "2026-02").stat().st_ino != february
    assert month(warehouse, "2026-01", "usage/usage_by_ai_user_and_team").stat().st_ino == sums

    # Somebody wrote in what is published: what does not add up is not taken over.
    with duckdb.connect(str(warehouse.home / "published/reports.duckdb")) as reports:
        reports.execute("delete from core.fct_requests where usage_date = '2026-01-31'")
    land(warehouse, "newer", "2026-02-05")
    warehouse.rebuild()
    assert differences(warehouse) == []
    assert month(warehouse, "2026-01").stat().st_ino != january


@pytest.mark.parametrize(
    ("before", "now", "changed"),
    [
        ({}, {"2026-01-01": "a"}, None),
        # Of archived days alone nobody knows whether they are the same.
        ({}, {}, None),
        ({"2026-01-01": "a"}, {"2026-01-01": "a"}, set()),
        ({"2026-01-01": "a"}, {"2026-01-01": "a", "2026-01-02": "b"}, {"2026-01-02"}),
        # Most of it is new.
        ({"2026-01-01": "a", "2026-01-02": "b"}, {"2026-01-01": "c", "2026-01-02": "d"}, None),
        # A day that is gone must leave no trace, and a file keeps what was deleted in it.
        ({"2026-01-01": "a", "2026-01-02": "b"}, {"2026-01-02": "b"}, None),
    ],
)
def test_days_to_replace(before: dict, now: dict, changed: set | None) -> None:
    assert changed_days(before, now) == changed
