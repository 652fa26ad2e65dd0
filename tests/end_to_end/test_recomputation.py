"""Every column of every published table equals what plain Python makes of the landing files."""

import csv
import gzip
import io
import json
from collections import Counter
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from comparison import assert_recomputed
from conftest import Warehouse
from recomputation import recompute

from examples.simulator import simulate

PROXY, RECORDED_PROXY = "litellm.acme.example:4000", "127.0.0.1:28400"
RECORDED = Path("examples/recorded")
# Two whole months and many whole weeks, and the end of daylight saving in the United States.
DAYS, USERS, LAST_DAY = 66, 8, date(2026, 11, 3)


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
