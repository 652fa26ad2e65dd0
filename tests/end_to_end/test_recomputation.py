"""Every column of every published table equals what plain Python makes of the landing files."""

import csv
import gzip
import io
import json
from collections import Counter
from datetime import date, datetime, timedelta
from pathlib import Path

import duckdb
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


@pytest.mark.slow
def test_teams_of_the_seed_go_before_those_that_are_told(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    simulate(warehouse.landing, truth=None, days=12, users=5, seed=8, last_day=LAST_DAY)
    warehouse.ingest()
    warehouse.dbt("seed")
    told = {request.user_id for request in recompute(warehouse.landing).requests}
    one, other = sorted(user for user in told if "@" in user)[:2]
    rows = [[one, "red", "", "2026-10-28"], [one, "blue", "2026-10-30", ""], [other, "red", "", ""]]
    with duckdb.connect(str(warehouse.home / "warehouse.duckdb")) as connection:
        typed = [[value or None for value in row] for row in rows]
        connection.executemany("insert into seeds.teams values (?, ?, ?, ?)", typed)
    without = ("resource_type:unit_test", "resource_type:seed", "resource_type:test")
    warehouse.dbt("build", "--exclude", *without)
    warehouse.publish()

    seed = tmp_path / "teams.csv"
    with seed.open("w", newline="") as file:
        csv.writer(file).writerows([["user_id", "team_id", "valid_from", "valid_to"], *rows])
    monkeypatch.setattr("recomputation.teams.TEAMS", seed)
    expected = recompute(warehouse.landing)
    teams = {request.team_id for request in expected.requests if request.user_id == one}
    assert {"red", "blue"} < teams
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


def span(number: int, **attributes: str | int) -> dict:
    """A span of a call, of which these attributes are told; their names have __ for a full stop."""
    told = {name.replace("__", "."): str(value) for name, value in attributes.items()}
    start = 1_791_000_000 + number
    return {
        "traceId": f"{number:032x}",
        "spanId": f"{number:016x}",
        "name": "chat",
        "startTimeUnixNano": f"{start}000000000",
        "endTimeUnixNano": f"{start + 1}000000000",
        "attributes": [{"key": key, "value": {"stringValue": told[key]}} for key in told],
    }


def test_meters_tiers_and_regions_as_senders_tell_them(warehouse: Warehouse) -> None:
    """What the simulator's senders lack: other names, parts too large, and what has no price."""
    at = "2026-11-02T00:30:00Z"
    realtime = {"provider": "openai", "model": "gpt-realtime", "requested_at": at}
    opus = {"provider": "anthropic", "model": "claude-opus-4-6", "requested_at": at}
    gateway = [
        realtime
        | {"input_tokens": 90, "cache_read_tokens": 60, "input_audio_tokens": 50}
        | {"cache_audio_read_tokens": 30, "output_tokens": 9, "output_audio_tokens": 9},
        # Of the cached ones nobody tells how many were audio: more than is left are.
        realtime | {"input_tokens": 90, "cache_read_tokens": 60, "input_audio_tokens": 50},
        realtime | {"input_tokens": 90, "input_image_tokens": 91},
        realtime | {"input_tokens": 90, "input_audio_tokens": 50, "input_image_tokens": 41},
        realtime | {"output_tokens": 90, "output_audio_tokens": 91},
        realtime | {"output_tokens": 90, "reasoning_tokens": 50, "output_audio_tokens": 90},
        realtime | {"input_tokens": 90, "output_video_tokens": 0, "web_searches": 3},
        realtime | {"input_tokens": 90, "web_searches": -3},
        realtime | {"web_searches": 2},
        opus | {"input_tokens": 90, "cache_write_tokens": 90, "cache_write_1h_tokens": 91},
        opus | {"input_tokens": 90, "cache_write_tokens": 90, "cache_write_1h_tokens": 40},
        opus | {"input_tokens": 90, "region": "US", "service_tier": "BATCH", "web_searches": 1},
        opus | {"input_tokens": 90, "region": "eu", "service_tier": "standard_only"},
        opus | {"input_tokens": 90, "service_tier": "overnight"},
        opus | {"input_tokens": 900_000, "service_tier": "batch", "is_sum_of_calls": "true"},
        opus | {"input_tokens": 90, "model": "claude-opus-4-6-20260205", "service_tier": "fast"},
        {**opus, "provider": "azure", "model": "eu/gpt-4o-2024-08-06", "input_tokens": 90},
        {**opus, "provider": "azure", "model": "eu/gpt-4o", "region": "us", "input_tokens": 90},
        {**opus, "provider": "google", "model": "gemini-3.8-live", "region": "europe-west4"}
        | {"input_tokens": 90, "input_video_tokens": 80},
        {**opus, "provider": "acme", "model": "ours", "service_tier": "flex", "input_tokens": 9},
    ]
    lines = [json.dumps({"request_id": f"g{i}"} | record) for i, record in enumerate(gateway)]
    warehouse.write("gateway/events.jsonl", "\n".join(lines))

    def written(one_hour: int, five_minutes: int | None = None) -> dict:
        """Of 50 tokens that were written to a cache."""
        lives = {"ephemeral_1h_input_tokens": one_hour, "ephemeral_5m_input_tokens": five_minutes}
        parts = {"cache_creation_tokens": 50, "cache_creation_token_details": lives}
        return {"prompt_tokens_details": parts, "cache_creation_input_tokens": 50}

    usages: list[tuple[dict, dict]] = [
        ({"service_tier": "default"}, {"model_parameters": {"service_tier": "priority"}}),
        # LiteLLM charges by what was asked.
        (
            {},
            {
                "cost_breakdown": {"service_tier": "priority"},
                "response": {"service_tier": "default"},
            },
        ),
        ({}, {"response": {"service_tier": "flex"}, "model_parameters": {"service_tier": "auto"}}),
        ({}, {"response": {"usageMetadata": {"trafficType": "ON_DEMAND_FLEX"}}}),
        ({}, {"model_parameters": {"service_tier": "scale"}}),
        ({"speed": "fast", "service_tier": "standard"}, {"model": "claude-opus-4-6"}),
        ({"speed": "normal", "inference_geo": "us"}, {"model": "claude-opus-4-6"}),
        ({"inference_geo": "not_available"}, {"model": "claude-opus-4-6"}),
        ({}, {"cost_breakdown": {"data_residency": "eu"}, "model": "gpt-5.4"}),
        ({"prompt_tokens_details": {"audio_tokens": 70, "cached_tokens": 40}}, {}),
        ({"prompt_tokens_details": {"audio_tokens": 700}}, {}),
        ({"completion_tokens_details": {"audio_tokens": 700}}, {}),
        ({"completion_tokens_details": {"audio_tokens": 2.5}}, {}),
        (
            {"input_tokens": 100, "output_tokens": 20}
            | {"input_tokens_details": {"cached_tokens": 40, "audio_tokens": 60}}
            | {"output_tokens_details": {"audio_tokens": 15, "image_tokens": 1}},
            {"model": "gpt-realtime"},
        ),
        ({"prompt_tokens_details": {"video_tokens": 7, "image_tokens": 8}}, {}),
        ({"prompt_tokens_details": {"web_search_requests": 2}}, {"model": "gemini-2.5-flash"}),
        (written(one_hour=50), {}),
        (written(one_hour=60), {}),
        (written(one_hour=30, five_minutes=30), {}),
        (written(50) | {"cache_creation": {"ephemeral_1h_input_tokens": 20}}, {}),
    ]
    payloads = []
    for number, (usage, told) in enumerate(usages):
        model = told.get("model", "gpt-5")
        counts = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
        owners = {"claude": "anthropic", "gemini": "gemini"}
        provider = owners.get(model.partition("-")[0], "openai")
        least = {"id": f"chatcmpl-l{number}", "litellm_call_id": f"l{number}", "startTime": at}
        least |= {"endTime": at, "status": "success", "call_type": "acompletion", **counts}
        least |= {"custom_llm_provider": provider, "model": f"{provider}/{model}"}
        usage = usage if "input_tokens" in usage else counts | usage
        payloads.append(json.dumps(least | told | {"metadata": {"usage_object": usage}}))
    warehouse.write("litellm/events.jsonl", "\n".join(payloads))

    tells = {"gen_ai__provider__name": "openai", "gen_ai__request__model": "gpt-realtime"}
    tells |= {"gen_ai__usage__input_tokens": 90, "gen_ai__usage__output_tokens": 40}
    details = "gen_ai__usage__details__"
    spans = [
        span(1, **tells, gen_ai__openai__response__service_tier="flex"),
        span(2, **tells, openai__request__service_tier="priority", team__id="red"),
        span(
            3,
            llm__model_name="gpt-realtime",
            llm__provider="openai",
            llm__token_count__prompt=90,
            llm__token_count__completion=40,
            llm__token_count__prompt_details__audio=80,
            llm__token_count__completion_details__audio=41,
        ),
        span(
            4,
            **tells,
            gen_ai__usage__cache_read__input_tokens=50,
            **{f"{details}input_audio_tokens": 60, f"{details}cache_audio_read_tokens": 40},
            **{f"{details}output_audio_tokens": 30, f"{details}web_search_requests": 1},
        ),
        span(5, **tells, gen_ai__operation__name="invoke_agent", team__id="red"),
        span(
            6,
            gen_ai__provider__name="anthropic",
            gen_ai__request__model="claude-opus-4-6",
            gen_ai__usage__input_tokens=90,
            gen_ai__usage__cache_creation__input_tokens=80,
            gen_ai__usage__cache_creation__ephemeral_1h_input_tokens=70,
            gen_ai__usage__server_tool_use__web_search_requests=2,
            gen_ai__anthropic__service_tier="batch",
            gen_ai__anthropic__inference_geo="us",
        ),
        span(
            7,
            **tells,
            gen_ai__usage__audio__input_tokens=30,
            gen_ai__usage__image__input_tokens=50,
            gen_ai__usage__image__output_tokens=10,
            gen_ai__usage__audio__output_tokens=35,
        ),
    ]
    batch = {"resourceSpans": [{"scopeSpans": [{"scope": {"name": "app"}, "spans": spans}]}]}
    warehouse.write("otel/events.jsonl", json.dumps(batch))
    warehouse.rebuild()
    assert_recomputed(warehouse, recompute(warehouse.landing))


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
