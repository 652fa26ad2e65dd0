"""Every column of every published table equals what plain Python makes of the landing files."""

import csv
import gzip
import io
import json
from collections import Counter
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal
from math import isclose
from pathlib import Path
from typing import Any

import duckdb
import pytest
from conftest import Warehouse
from recomputation import Recomputation, Row, percentile, recompute

from examples.simulator import simulate

PROXY, RECORDED_PROXY = "litellm.acme.example:4000", "127.0.0.1:28400"
RECORDED = Path("examples/recorded")
# Two whole months and many whole weeks, and the end of daylight saving in the United States.
DAYS, USERS, LAST_DAY = 66, 8, date(2026, 11, 3)
# Of prices the test asks what requests cost, and whether they have one: see tests/integration.
NOT_RECOMPUTED = {"core.dim_prices"}
GRAIN = {
    "core.fct_requests": ("request_id",),
    "core.fct_sessions": ("session_id",),
    "core.dim_users": ("user_id",),
    "core.dim_ai_services": ("ai_service",),
    "core.dim_models": ("provider", "model"),
    "usage.usage_by_day": ("usage_date",),
    "usage.usage_by_ai_service": ("usage_date", "ai_service"),
    "usage.usage_by_user": ("usage_date", "user_id"),
    "usage.token_usage_details": ("usage_date", "user_id", "ai_service", "model", "token_type"),
    "usage.tokens_by_day_and_ai": ("usage_date", "ai_service"),
    "usage.tokens_by_ai": ("ai_service",),
    "usage.tokens_by_user_and_ai": ("user_id", "ai_service"),
    "usage.user_prompts": ("usage_date", "user_id"),
    "usage.requests_over_time": ("usage_hour", "ai_service"),
    "usage.total_prompts_by_ai": ("ai_service",),
    "cost.cost_by_day_and_ai": ("usage_date", "ai_service"),
    "cost.cost_by_day_and_user": ("usage_date", "user_id"),
    "cost.cost_by_day_ai_and_user": ("usage_date", "ai_service", "user_id"),
    "cost.time_of_use": ("usage_date", "hour_of_day", "ai_service"),
    "technical.long_term_trends": ("period_type", "period_start", "ai_service"),
    "technical.response_averages_by_ai": ("usage_date", "ai_service"),
    "technical.response_averages_by_user": ("usage_date", "user_id"),
    "technical.session_averages_by_ai": ("usage_date", "ai_service"),
    "technical.session_averages_by_user": ("usage_date", "user_id"),
    "technical.data_quality": ("usage_date", "source"),
}


def published_tables(warehouse: Warehouse) -> dict[str, list[Row]]:
    path = warehouse.home / "published/reports.duckdb"
    names = json.loads((warehouse.home / "published/current/build.json").read_text())["tables"]
    tables = {}
    with duckdb.connect(str(path), read_only=True) as connection:
        for name in names:
            cursor = connection.execute(f"from {name}")
            columns = [column[0] for column in cursor.description]
            tables[name] = [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
    for request in tables["core.fct_requests"]:
        request["has_price"] = request.pop("price_id") is not None
    return tables


def name_sessions_alike(requests: list[Row], sessions: list[Row]) -> None:
    """Call each derived session after its first request: how it is called is nobody's business."""
    names: dict[str, str] = {}
    for row in sorted(requests, key=lambda row: (row["requested_at"], row["request_id"])):
        if row["session_id_source"] == "derived":
            names.setdefault(row["session_id"], row["request_id"])
    for row in (*requests, *sessions):
        if row["session_id_source"] == "derived":
            row["session_id"] = names[row["session_id"]]


def agree(table: str, column: str, published: Any, recomputed: Any) -> bool:
    if published is None or recomputed is None:
        return published is recomputed
    if column == "cost_usd":
        tolerance = Decimal("1e-9") if table == "core.fct_requests" else Decimal("1e-6")
        return abs(published - recomputed) <= tolerance
    if column == "cost_per_million_tokens_usd":  # has six decimals
        return abs(published - recomputed) <= Decimal("1e-6")
    if isinstance(published, float):
        return isclose(published, recomputed, rel_tol=1e-9, abs_tol=1e-9)
    return published == recomputed


def differences(table: str, published: list[Row], recomputed: list[Row]) -> Iterable[tuple]:
    """(table, column, grain, published, recomputed) of every value that is not the same."""

    def keyed(rows: list[Row]) -> dict[tuple, Row]:
        return {tuple(row[name] for name in GRAIN[table]): row for row in rows}

    one, other = keyed(published), keyed(recomputed)
    assert len(one) == len(published), table
    assert len(other) == len(recomputed), table
    for key in sorted(one.keys() ^ other.keys(), key=str):
        yield table, "the row", key, one.get(key), other.get(key)
    for key in one.keys() & other.keys():
        for column in one[key].keys() | other[key].keys():
            values = [row.get(column, "no such column") for row in (one[key], other[key])]
            if not agree(table, column, *values):
                yield table, column, key, *values


def assert_buckets_hold(table: str, published: list[Row], exact: dict[tuple, list]) -> None:
    """Every value lies in a bucket 5 % wide, and percentiles can be read to within 5 %."""
    value, unit = {"technical.response_times": ("response_time", "ms")}.get(
        table, ("session_length", "s")
    )
    of, low, high = table.rpartition("_")[0], f"{value}_from_{unit}", f"{value}_to_{unit}"
    measure = {"technical.response": "responses", "technical.session": "sessions"}[of]
    by_day: dict[tuple, list[tuple[float, float, int]]] = {}
    for row in published:
        by_day.setdefault((row["usage_date"], row["ai_service"]), []).append(
            (row[low], row[high], row[measure])
        )
    assert by_day.keys() == exact.keys(), table
    for key, buckets in by_day.items():
        for start, end, number in buckets:
            assert start == 0 or end / start <= 1.05 + 1e-12
            assert number == sum(start <= float(x) < end for x in exact[key]), (table, key, start)
        assert sum(number for _, _, number in buckets) == len(exact[key])
        assert_percentiles_can_be_read(buckets, exact[key])
    for ai in {ai for _, ai in exact}:  # over all days
        assert_percentiles_can_be_read(
            [bucket for key, buckets in by_day.items() if key[1] == ai for bucket in buckets],
            [value for key, values in exact.items() if key[1] == ai for value in values],
        )


def assert_percentiles_can_be_read(buckets: list[tuple], exact: list) -> None:
    """Take the upper bound for every value; what is under 1 has no bucket of its own."""
    read = [end for _, end, number in buckets for _ in range(number)]
    for percent in (50, 95):
        true = percentile(exact, percent)
        assert true <= percentile(read, percent) <= max(1.05 * true + 1e-9, true + 1)


def assert_recomputed(warehouse: Warehouse, expected: Recomputation) -> None:
    published = published_tables(warehouse)
    for tables in (published, expected.tables):
        name_sessions_alike(tables["core.fct_requests"], tables["core.fct_sessions"])
    assert published.keys() - NOT_RECOMPUTED == expected.tables.keys() | expected.buckets.keys()
    found = [
        difference
        for table, recomputed in expected.tables.items()
        for difference in differences(table, published[table], recomputed)
    ]
    summary: dict[tuple, list] = {}
    for table, column, *example in found:
        summary.setdefault((table, column), []).append(example)
    lines = [f"{key}: {len(all_)}, such as {all_[:2]}" for key, all_ in summary.items()]
    assert not found, "\n".join(["published and recomputed differ:", *lines])
    for table, exact in expected.buckets.items():
        assert_buckets_hold(table, published[table], exact)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("zone", "gateways"), [("UTC", ""), ("America/New_York", PROXY)], ids=["utc", "new_york"]
)
def test_simulated_organisation(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, zone: str, gateways: str
) -> None:
    monkeypatch.setenv("AI_USAGE_REPORTING_TIME_ZONE", zone)
    monkeypatch.setenv("AI_USAGE_GATEWAY_ADDRESSES", gateways)
    simulate(warehouse.landing, truth=None, days=DAYS, users=USERS, seed=5, last_day=LAST_DAY)
    warehouse.rebuild()
    expected = recompute(
        warehouse.landing, reporting_time_zone=zone, gateway_addresses=gateways.split(",")
    )
    trends = expected.tables["technical.long_term_trends"]
    grown = {row["period_type"] for row in trends if row["requests_growth"] is not None}
    assert grown == {"week", "month"}
    assert_recomputed(warehouse, expected)


@pytest.mark.parametrize("gateways", ["", RECORDED_PROXY], ids=["proxy_unknown", "proxy_known"])
def test_recorded_proxy_and_its_clients(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, gateways: str
) -> None:
    monkeypatch.setenv("AI_USAGE_GATEWAY_ADDRESSES", gateways)
    for name in (
        "litellm/standard_logging_payload.jsonl.gz",
        "otel/genai_spans_v1_30.otlp.jsonl.gz",
    ):
        warehouse.land(RECORDED / name, source=name.split("/")[0])
    warehouse.rebuild()
    expected = recompute(warehouse.landing, gateway_addresses=gateways.split(","))
    assert_recomputed(warehouse, expected)


@pytest.mark.slow
@pytest.mark.parametrize("beside", [(), ("standard_logging_payload",)], ids=["alone", "beside"])
def test_recorded_spend_logs(warehouse: Warehouse, beside: tuple[str, ...]) -> None:
    for name in ("spend_logs", *beside):
        warehouse.land(RECORDED / f"litellm/{name}.jsonl.gz", source="litellm")
    warehouse.rebuild()
    assert_recomputed(warehouse, recompute(warehouse.landing))


@pytest.mark.slow
@pytest.mark.parametrize("dialect", ["latest_experimental", "openllmetry"])
def test_recorded_dialects_of_spans(warehouse: Warehouse, dialect: str) -> None:
    warehouse.land(RECORDED / f"otel/genai_spans_{dialect}.otlp.jsonl.gz", source="otel")
    warehouse.rebuild()
    assert_recomputed(warehouse, recompute(warehouse.landing))


def test_records_that_simulator_and_recordings_lack(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bad records, and good ones that leave out what they may. All times are 20:30 local."""
    zone, at = "America/New_York", "2026-10-02T00:30:00Z"
    monkeypatch.setenv("AI_USAGE_REPORTING_TIME_ZONE", zone)
    least = {"requested_at": at, "provider": "openai", "model": "gpt-4o"}
    gateway = [
        {"request_id": "timed", "output_tokens": 100, "response_time_ms": 1000, "user_id": "ann"},
        {"request_id": "not timed", "output_tokens": 900, "user_id": "ann"},
        {"request_id": "cached", "input_tokens": 7, "is_cache_hit": True, "model": "nobody-knows"},
        {"request_id": "nobody-knows", "input_tokens": 9, "model": "nobody-knows"},
        {"request_id": "said no", "status": "failure", "user_id": "bob", "session_id": "bob's"},
        {"request_id": "said no", "status": "failure", "user_id": "bob", "user_name": "Bob"},
        {"request_id": "hers", "user_id": "ann", "prompt_id": "ours", "session_id": "ours"},
        {"request_id": "his", "user_id": "bob", "prompt_id": "ours", "session_id": "ours"},
        {"request_id": "negative", "input_tokens": -1},
        {"request_id": "in halves", "input_tokens": 1.5},
        {"request_id": "of no model", "model": ""},
        {"request_id": "of no time", "requested_at": "yesterday"},
    ]
    lines = [json.dumps(least | record) for record in gateway]
    warehouse.write("gateway/events.jsonl", "\n".join([*lines, "{no JSON", "", ""]))
    litellm = {"model": "openai/gpt-4o", "custom_llm_provider": "openai", "prompt_tokens": 5}
    litellm |= {"id": "no call type", "status": "success", "startTime": at, "endTime": at}
    warehouse.write("litellm/events.jsonl", json.dumps(litellm))
    warehouse.rebuild()
    assert_recomputed(warehouse, recompute(warehouse.landing, reporting_time_zone=zone))


@pytest.mark.slow
@pytest.mark.parametrize("has_users", [False, True], ids=["no_users", "a_user_a_session"])
def test_a_real_weeks_trace(warehouse: Warehouse, shared: Path, has_users: bool) -> None:
    """Its own totals, counted here; then all tables."""
    start, records = datetime(2026, 9, 7), []
    with gzip.open(shared / "traces/ragpulse_trace.jsonl.gz", "rt") as trace:
        for line in filter(str.strip, trace):  # it ends with an empty line
            row = json.loads(line)
            at = start + timedelta(seconds=int(row["timestamp"]))
            records.append(
                {"request_id": f"rag-{len(records)}", "requested_at": at.isoformat()}
                | {"provider": "acme", "model": "rag", "session_id": row["session_id"]}
                | {"user_id": f"user of {row['session_id']}" if has_users else None}
                | {"input_tokens": row["input_length"], "output_tokens": row["output_length"]}
            )
    lines = [json.dumps(record) for record in records]
    warehouse.write("gateway/rag.jsonl.gz", gzip.compress("\n".join([*lines, "", ""]).encode()))
    warehouse.rebuild()

    assert warehouse.published("select count(*) from core.fct_requests") == [(7106,)]
    times: dict[str, list[str]] = {}
    tokens: Counter[date] = Counter()
    for record in records:
        times.setdefault(record["session_id"], []).append(record["requested_at"])
        day = date.fromisoformat(record["requested_at"][:10])
        tokens[day] += record["input_tokens"] + record["output_tokens"]
    sessions = "select session_id, started_at, ended_at from core.fct_sessions order by 1"
    assert warehouse.published(sessions) == [
        (name, datetime.fromisoformat(min(of)), datetime.fromisoformat(max(of)))
        for name, of in sorted(times.items())
    ]
    long = "select count(*) from core.fct_sessions where session_length_s > 24 * 60 * 60"
    assert warehouse.published(long) == [(19,)]
    by_day = "select usage_date, total_tokens from usage.tokens_by_day_and_ai order by 1"
    assert warehouse.published(by_day) == sorted(tokens.items())
    assert_recomputed(warehouse, recompute(warehouse.landing))


@pytest.mark.slow
def test_a_real_hours_traces(warehouse: Warehouse, shared: Path) -> None:
    """Two services' own totals; then all tables. Times have seven decimals and no zone."""
    rows, totals = [], {}
    for name in ("code", "conv"):
        with gzip.open(shared / f"traces/AzureLLMInferenceTrace_{name}.csv.gz", "rt") as trace:
            of = [
                {"request_id": f"{name}-{number}", "requested_at": row["TIMESTAMP"]}
                | {"provider": "azure", "model": name, "input_tokens": row["ContextTokens"]}
                | {"output_tokens": row["GeneratedTokens"]}
                for number, row in enumerate(csv.DictReader(trace))
            ]
        tokens = sum(int(row["input_tokens"]) + int(row["output_tokens"]) for row in of)
        totals[name] = len(of), tokens
        rows += of
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    warehouse.write("gateway/azure.csv", text.getvalue())
    warehouse.rebuild()

    by_model = "select model, count(*), sum(total_tokens) from core.fct_requests group by all"
    assert {row[0]: row[1:] for row in warehouse.published(by_model)} == totals
    assert sum(requests for requests, _ in totals.values()) == 19_366 + 8_819
    assert_recomputed(warehouse, recompute(warehouse.landing))
