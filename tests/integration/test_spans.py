"""What is read of spans: the words of each sender, as its own source writes them."""

import json
import re
from typing import Any

import duckdb
import pytest
from conftest import Warehouse

from orchestration.sources.otel import SOURCE

Attributes = dict[str, object]


def typed(value: object) -> dict[str, object]:
    kinds = {bool: "boolValue", int: "intValue", float: "doubleValue"}
    return {kinds.get(type(value), "stringValue"): value}


def listed(attributes: Attributes) -> list[dict]:
    return [{"key": name, "value": typed(value)} for name, value in attributes.items()]


def span(attributes: Attributes, **fields: Any) -> dict:
    return {
        "traceId": "t",
        "spanId": "s",
        "name": "never read",
        "startTimeUnixNano": "1762000000000000000",
        "endTimeUnixNano": "1762000001000000000",
        "attributes": listed(attributes),
    } | fields


def batch(*spans: dict, scope: str = "lib", resource: Attributes | None = None) -> str:
    scoped = {"scope": {"name": scope}, "spans": list(spans)}
    of = {"resource": {"attributes": listed(resource or {})}, "scopeSpans": [scoped]}
    return json.dumps({"resourceSpans": [of]})


def taken_in(warehouse: Warehouse, *lines: str) -> list[dict]:
    """Return the rows that lines become in raw/, without what is null."""
    warehouse.write("otel/a.jsonl", "\n".join(lines))
    assert warehouse.ingest()["otel"].rejected == 0
    with duckdb.connect() as connection:
        rows = connection.execute(
            f"from '{warehouse.raw}/otel/*/*.parquet' order by trace_id, span_id, event_date"
        )
        names = [column[0] for column in rows.description]
        found = [dict(zip(names, row, strict=True)) for row in rows.fetchall()]
    return [{name: x for name, x in row.items() if x is not None} for row in found]


# Scope, attributes, and what is to be read of them.
SENDERS: dict[str, tuple[str, Attributes, Attributes]] = {
    "litellm where messages are not logged": (
        "litellm",
        {
            "llm.request.type": "anthropic_messages",
            "gen_ai.request.model": "claude-sonnet-4-5",
            "gen_ai.usage.input_tokens": 50,
            "gen_ai.usage.output_tokens": 5,
            "gen_ai.usage.total_tokens": 55,
            "gen_ai.cost.total_cost": 1e-05,
            "metadata.usage_object": "{'prompt_tokens_details': {'audio_tokens': None, "
            "'cached_tokens': 20}, 'completion_tokens_details': {'reasoning_tokens': 3}}",
            "metadata.user_api_key_user_id": "owner",
            "metadata.user_api_key_end_user_id": "customer",
            "metadata.user_api_key_alias": "key",
            "metadata.user_api_key_team_id": "team",
            "hidden_params": '{"cache_key": "abc", "model_id": "m"}',
        },
        {
            "operation_name": "anthropic_messages",
            "total_tokens": 55,
            "cache_read_tokens": 20,
            "reasoning_tokens": 3,
            "cache_attribute": "metadata.usage_object",
            "user_id": "owner",
            "end_user": "customer",
            "key_alias": "key",
            "team_id": "team",
            "is_cache_hit": True,
        },
    ),
    "litellm's second callback": (
        "litellm",
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": "our-best",
            "litellm.provider.model": "gpt-4o",
            "litellm.call_id": "call-1",
            "gen_ai.usage.input_tokens": 50,
            "litellm.metadata.user_api_key_user_id": "owner",
            "litellm.team.id": "team",
        },
        {"provider_model": "gpt-4o", "litellm_call_id": "call-1", "user_id": "owner"},
    ),
    "the Vercel AI SDK 5": (
        "ai",
        {
            "ai.operationId": "ai.generateText.doGenerate",
            "ai.model.id": "claude-sonnet-4-5",
            "ai.model.provider": "anthropic.messages",
            "ai.usage.inputTokens": 10,
            "ai.usage.outputTokens": 5,
            "ai.usage.cachedInputTokens": 4,
            "ai.usage.reasoningTokens": 2,
            "ai.response.providerMetadata": '{"anthropic": {"cacheCreationInputTokens": 7}}',
            "ai.response.msToFirstChunk": 120.5,
            "ai.telemetry.metadata.userId": "u",
            "ai.telemetry.metadata.sessionId": "s",
        },
        {
            "request_model": "claude-sonnet-4-5",
            "provider_name": "anthropic.messages",
            "input_tokens": 10,
            "output_tokens": 5,
            "cache_read_tokens": 4,
            "cache_write_tokens": 7,
            "reasoning_tokens": 2,
            "cache_attribute": "ai.usage.cachedInputTokens",
            "time_to_first_token_ms": 120.5,
            "user_id": "u",
            "session_id": "s",
        },
    ),
    "the Vercel AI SDK 6": (
        "ai",
        {
            "ai.model.id": "claude-sonnet-4-5",
            "ai.usage.inputTokens": 21,
            "ai.usage.cachedInputTokens": 4,
            "ai.usage.inputTokenDetails.cacheReadTokens": 4,
            "ai.usage.inputTokenDetails.cacheWriteTokens": 7,
        },
        {
            "cache_read_tokens": 4,
            "cache_write_tokens": 7,
            "cache_attribute": "ai.usage.inputTokenDetails.cacheReadTokens",
        },
    ),
    "OpenInference": (
        "openinference.instrumentation.anthropic",
        {
            "openinference.span.kind": "LLM",
            "llm.model_name": "claude-sonnet-4-5",
            "llm.provider": "anthropic",
            "llm.token_count.prompt": 20,
            "llm.token_count.completion": 5,
            "llm.token_count.prompt_details.cache_read": 4,
            "llm.token_count.prompt_details.cache_write": 6,
            "llm.token_count.completion_details.reasoning": 1,
        },
        {
            "operation_name": "LLM",
            "request_model": "claude-sonnet-4-5",
            "input_tokens": 20,
            "output_tokens": 5,
            "cache_read_tokens": 4,
            "cache_write_tokens": 6,
            "reasoning_tokens": 1,
        },
    ),
    "an embedding of OpenInference": (
        "openinference.instrumentation.openai",
        {"embedding.model_name": "text-embedding-3-small", "llm.token_count.prompt": 2},
        {"request_model": "text-embedding-3-small", "input_tokens": 2},
    ),
    "Strands": (
        "strands.telemetry.tracer",
        {
            "gen_ai.request.model": "m",
            "gen_ai.usage.input_tokens": 10,
            "gen_ai.usage.cache_write_input_tokens": 4,
            "gen_ai.server.time_to_first_token": 200,
        },
        {"cache_write_tokens": 4, "time_to_first_token_ms": 200.0},
    ),
    "Sentry": (
        "sentry",
        {
            "gen_ai.request.model": "m",
            "gen_ai.usage.input_tokens.cached": 3,
            "gen_ai.usage.input_tokens.cache_write": 1,
            "gen_ai.usage.output_tokens.reasoning": 2,
        },
        {"cache_read_tokens": 3, "cache_write_tokens": 1, "reasoning_tokens": 2},
    ),
    "an agent of Pydantic AI": (
        "pydantic-ai",
        {"gen_ai.aggregated_usage.input_tokens": 30, "gen_ai.usage.details.thoughts_tokens": 2},
        {"input_tokens": 30, "reasoning_tokens": 2},
    ),
    "OpenLIT": (
        "openlit.instrumentation.openai",
        {
            "gen_ai.request.model": "m",
            "gen_ai.usage.completion_tokens_details.reasoning_tokens": 3,
            "gen_ai.user.id": "u",
            "gen_ai.session.id": "s",
        },
        {"reasoning_tokens": 3, "user_id": "u", "session_id": "s"},
    ),
    "the Langfuse SDK": (
        "langfuse-sdk",
        {
            "langfuse.observation.type": "generation",
            "langfuse.observation.model.name": "m",
            "langfuse.observation.usage_details": '{"input": 10, "output": 5, "total": 19, '
            '"input_cached_tokens": 4}',
            "langfuse.user.id": "u",
        },
        {
            "operation_name": "generation",
            "input_tokens": 10,
            "total_tokens": 19,
            "cache_read_tokens": 4,
            "cache_attribute": "langfuse.observation.usage_details",
        },
    ),
    "MLflow": (
        "mlflow",
        {
            "mlflow.llm.model": '"gpt-4o"',
            "mlflow.chat.tokenUsage": '{"input_tokens": 10, "output_tokens": 5}',
            "mlflow.trace.user": '"u"',
            "mlflow.trace.session": '"s"',
        },
        {"request_model": "gpt-4o", "input_tokens": 10, "user_id": "u", "session_id": "s"},
    ),
    "a failure of Claude Code": (
        "com.anthropic.claude_code.tracing",
        {
            "gen_ai.request.model": "claude-sonnet-4-5",
            "span.type": "llm_request",
            "input_tokens": 3,
            "cache_creation_tokens": 2025,
            "ttft_ms": 800,
            "success": False,
            "status_code": "529",
            "user.id": "device",
            "user.email": "a@x.example",
        },
        {
            "input_tokens": 3,
            "cache_write_tokens": 2025,
            "time_to_first_token_ms": 800.0,
            "status_code": "STATUS_CODE_ERROR",
            "error_type": "529",
            "user_id": "a@x.example",
        },
    ),
    "what looks like Claude Code": (
        "lib",
        {"gen_ai.request.model": "m", "input_tokens": 3, "success": False, "user.id": "u"},
        {"user_id": "u", "is_genai": True},
    ),
    "finer tokens of the GenAI conventions": (
        "opentelemetry.instrumentation.openai_v2",
        {
            "gen_ai.request.model": "m",
            "gen_ai.usage.audio.input_tokens": 5,
            "gen_ai.usage.audio.cache_read.input_tokens": 2,
            "gen_ai.usage.image.input_tokens": 3,
            "gen_ai.usage.audio.output_tokens": 4,
            "openai.request.service_tier": "flex",
            "openai.response.service_tier": "default",
        },
        {
            "input_audio_tokens": 5,
            "cache_audio_read_tokens": 2,
            "input_image_tokens": 3,
            "output_audio_tokens": 4,
            "service_tier": "default",
            "input_video_tokens": None,
            "web_searches": None,
        },
    ),
    "of OpenInference": (
        "openinference.instrumentation.openai",
        {
            "llm.model_name": "m",
            "llm.token_count.prompt_details.audio": 5,
            "llm.token_count.completion_details.audio": 4,
        },
        {"input_audio_tokens": 5, "output_audio_tokens": 4, "cache_audio_read_tokens": None},
    ),
    "of OpenRouter": (
        "openrouter",
        {
            "gen_ai.request.model": "m",
            "gen_ai.usage.input_tokens.audio": 5,
            "gen_ai.usage.input_tokens.video": 6,
            "gen_ai.usage.output_tokens.image": 4,
        },
        {"input_audio_tokens": 5, "input_video_tokens": 6, "output_image_tokens": 4},
    ),
    "of Pydantic AI": (
        "pydantic-ai",
        {
            "gen_ai.request.model": "m",
            "gen_ai.usage.details.cache_audio_read_tokens": 2,
            "gen_ai.usage.details.audio_prompt_tokens": 5,
            "gen_ai.usage.details.image_candidates_tokens": 4,
            "gen_ai.usage.details.ephemeral_1h_input_tokens": 7,
            "gen_ai.usage.details.web_search_requests": 1,
        },
        {
            "input_audio_tokens": 5,
            "cache_audio_read_tokens": 2,
            "output_image_tokens": 4,
            "cache_write_1h_tokens": 7,
            "web_searches": 1,
        },
    ),
    "of litellm": (
        "litellm",
        {
            "gen_ai.request.model": "m",
            "gen_ai.openai.request.service_tier": "priority",
            "metadata.usage_object": "{'completion_tokens_details': {'audio_tokens': 4, "
            "'image_tokens': None}, 'prompt_tokens_details': {'audio_tokens': 5, 'image_tokens': "
            "None, 'cache_creation_token_details': {'ephemeral_5m_input_tokens': 6, "
            "'ephemeral_1h_input_tokens': 7}, 'cached_tokens_details': {'audio_tokens': 2}}, "
            "'server_tool_use': {'web_search_requests': 1}, 'inference_geo': 'us', "
            "'service_tier': 'standard', 'speed': 'fast'}",
        },
        {
            "output_audio_tokens": 4,
            "output_image_tokens": None,
            "input_audio_tokens": 5,
            "cache_audio_read_tokens": 2,
            "cache_write_5m_tokens": 6,
            "cache_write_1h_tokens": 7,
            "web_searches": 1,
            "region": "us",
            "service_tier": "fast",
        },
    ),
    "Anthropic through the Vercel AI SDK": (
        "ai",
        {
            "ai.model.id": "m",
            "ai.response.providerMetadata": '{"anthropic": {"usage": {"cache_creation": '
            '{"ephemeral_5m_input_tokens": 6, "ephemeral_1h_input_tokens": 7}, "server_tool_use": '
            '{"web_search_requests": 1}, "service_tier": "priority", "inference_geo": "us"}}}',
        },
        {
            "cache_write_5m_tokens": 6,
            "cache_write_1h_tokens": 7,
            "web_searches": 1,
            "service_tier": "priority",
            "region": "us",
        },
    ),
    "Gemini through the Vercel AI SDK": (
        "ai",
        {
            "ai.model.id": "m",
            "ai.response.providerMetadata": '{"google": {"usageMetadata": {"trafficType": '
            '"ON_DEMAND", "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 1}, '
            '{"modality": "AUDIO", "tokenCount": 5}, {"modality": "VIDEO", "tokenCount": 6}]}}}',
        },
        {
            "input_audio_tokens": 5,
            "input_video_tokens": 6,
            "input_image_tokens": None,
            "service_tier": "ON_DEMAND",
        },
    ),
    "kinds of Langfuse, which stand beside each other": (
        "langfuse-sdk",
        {
            "langfuse.observation.model.name": "m",
            "langfuse.observation.usage_details": '{"input": 10, "input_audio": 5, "input_image": '
            '1, "input_cache_read": 2, "input_cache_creation": 3, "input_cache_creation_1h": 4, '
            '"output": 6, "output_audio": 7, "output_reasoning": 8}',
            "langfuse.observation.model.parameters": '{"service_tier": "flex"}',
        },
        {
            "input_tokens": 16,
            "input_audio_tokens": 5,
            "input_image_tokens": 1,
            "cache_read_tokens": 2,
            "cache_write_tokens": 7,
            "cache_write_1h_tokens": 4,
            "output_tokens": 13,
            "output_audio_tokens": 7,
            "reasoning_tokens": 8,
            "service_tier": "flex",
        },
    ),
    "OpenAI's, as Langfuse passes them on": (
        "langfuse-sdk",
        {
            "langfuse.observation.model.name": "m",
            "langfuse.observation.usage_details": '{"prompt_tokens": 10, "completion_tokens": 6, '
            '"total_tokens": 16, "prompt_tokens_details": {"cached_tokens": 3, "audio_tokens": 4}, '
            '"completion_tokens_details": {"reasoning_tokens": 2}}',
        },
        {
            "input_tokens": 10,
            "cache_read_tokens": 3,
            "input_audio_tokens": 4,
            "output_tokens": 6,
            "reasoning_tokens": 2,
        },
    ),
    "an hour of MLflow's": (
        "mlflow",
        {
            "mlflow.llm.model": '"m"',
            "mlflow.chat.tokenUsage": '{"input_tokens": 10, "cache_creation_input_tokens": 5, '
            '"cache_creation_input_tokens_above_1hr": 4}',
        },
        {"cache_write_tokens": 5, "cache_write_1h_tokens": 4, "cache_write_5m_tokens": None},
    ),
    "fast Claude Code": (
        "com.anthropic.claude_code.tracing",
        {"gen_ai.request.model": "m", "input_tokens": 3, "speed": "fast"},
        {"service_tier": "fast"},
    ),
    "a tier that OpenLIT made up": (
        "openlit.instrumentation.azure_ai_inference",
        {
            "gen_ai.request.model": "m",
            "openai.response.service_tier": "fp_ee1d74bde0",
            "gen_ai.openai.response.service_tier": "auto",
            "openai.request.service_tier": "flex",
        },
        {"service_tier": "flex"},
    ),
    "objects that are none": (
        "lib",
        {
            "gen_ai.request.model": "m",
            "langfuse.observation.usage_details": "{",
            "hidden_params": "[1",
            "metadata.usage_object": "None",
        },
        {"is_cache_hit": False},
    ),
}


@pytest.mark.parametrize("sender", SENDERS)
def test_each_sender_is_read_in_its_own_words(warehouse: Warehouse, sender: str) -> None:
    scope, attributes, expected = SENDERS[sender]
    (row,) = taken_in(warehouse, batch(span(attributes), scope=scope))
    assert {name: row.get(name) for name in expected} == expected
    assert row["scope_name"] == scope
    if sender == "what looks like Claude Code":
        assert not {"input_tokens", "status_code"} & row.keys()


COSTS: list[Attributes] = [
    {"gen_ai.cost.total_cost": 0.25},
    {"litellm.cost.total": 0.25},
    {"gen_ai.usage.total_cost": 0.25},
    {"gen_ai.usage.cost": "0.25"},
    {"operation.cost": 2.5e-1},
    {"llm.cost.total": 0.25},
    {"langfuse.observation.cost_details": '{"total": 0.25}'},
    {"mlflow.llm.cost": '{"total_cost": 0.25}'},
]


@pytest.mark.parametrize("cost", COSTS, ids=lambda cost: next(iter(cost)))
def test_whoever_says_what_it_cost_is_heard(warehouse: Warehouse, cost: Attributes) -> None:
    (row,) = taken_in(warehouse, batch(span({"gen_ai.request.model": "m"} | cost)))
    assert float(row["reported_cost_usd"]) == 0.25


def test_what_is_looked_up_is_what_is_kept() -> None:
    """A name must stand in the list of those kept, or nothing would ever be found by it."""
    query = re.sub(r"--.*", "", SOURCE.query)
    kept = {name for part in re.findall(r"in \((.*?)\)\s*or list", query, re.S)
            for name in re.findall(r"'([^']+)'", part)}  # fmt: skip
    used = set(re.findall(r"attributes\['([^']+)'\]", query))
    used |= {name for part in re.findall(r"told_by\(\[(.*?)\]", query, re.S)
             for name in re.findall(r"'([^']+)'", part)}  # fmt: skip
    assert kept == used


def test_settings_name_further_attributes(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AI_USAGE_USER_ATTRIBUTES", "app.person, app.user")
    monkeypatch.setenv("AI_USAGE_TEAM_ATTRIBUTES", "app.team")
    monkeypatch.setenv("AI_USAGE_SESSION_ATTRIBUTES", "app.session")
    told = {"app.user": "ada", "user.id": "service", "app.session": "s"}
    (row,) = taken_in(
        warehouse,
        batch(span({"gen_ai.request.model": "m"} | told), resource={"app.team": "t"}),
    )
    assert (row["user_id"], row["session_id"], row["resource_team_id"]) == ("ada", "s", "t")


def test_of_other_spans_it_is_kept_whose_child_they_are(warehouse: Warehouse) -> None:
    """And of those that are nobody's child, or could be no link, nothing; none is a bad record."""
    nothing = {"http.route": "/"}
    rows = taken_in(
        warehouse,
        batch(
            span(nothing, spanId="root"),
            span(nothing, spanId="between", parentSpanId="root"),
            span(nothing, spanId="long", parentSpanId="x" * 65),
            span(nothing, spanId="timeless", parentSpanId="root", startTimeUnixNano="now"),
            span(nothing, spanId="early", parentSpanId="root", startTimeUnixNano="1"),
        ),
        batch(
            span({"user.id": "ada"}, spanId="who", endTimeUnixNano="1762100000000000000"),
            span({}, spanId="who2", endTimeUnixNano="1762100000000000000"),
            resource={"user.id": "everybody's"},
        ),
    )
    assert [(row["span_id"], row.get("user_id")) for row in rows] == [
        ("between", None),
        ("who", "ada"),
        ("who", "ada"),
    ]
    assert not any(row["is_genai"] for row in rows)


def test_what_litellm_sent_and_got_is_a_link(warehouse: Warehouse) -> None:
    """Of some versions it repeats the attributes of litellm_request, which is the request."""
    usage = {"gen_ai.request.model": "m", "gen_ai.usage.input_tokens": 5}
    rows = taken_in(
        warehouse,
        batch(
            span(usage, spanId="a", name="litellm_request"),
            span(usage, spanId="b", name="raw_gen_ai_request", parentSpanId="a"),
            scope="litellm",
        ),
    )
    assert [(row["span_id"], row["is_genai"]) for row in rows] == [("a", True), ("b", False)]


BAD = {
    "a" * 257: "longer than 256 characters",
    "two\nlines": "has control characters",
    '{"a": 1}': "is not text",
}


@pytest.mark.parametrize("value", BAD, ids=BAD.values())
@pytest.mark.parametrize(
    ("attribute", "field"),
    [
        ("gen_ai.response.id", "the id of the response"),
        ("gen_ai.request.model", "the model that was asked"),
        ("user.id", "the user"),
        ("session.id", "the session"),
    ],
)
def test_no_prompt_rides_in_on_an_id_or_a_name(
    warehouse: Warehouse, attribute: str, field: str, value: str
) -> None:
    bad = {"gen_ai.response.model": "m", attribute: value}
    warehouse.write("otel/a.jsonl", batch(span(bad)))
    ((_, _, reason),) = warehouse.ingest()["otel"].rejections
    assert reason.startswith(field)
    assert BAD[value] in reason


def test_words_are_cut(warehouse: Warehouse) -> None:
    words = {"gen_ai.operation.name": "o" * 300, "error.type": "e" * 300}
    (row,) = taken_in(warehouse, batch(span({"gen_ai.request.model": "m"} | words)))
    assert (row["operation_name"], row["error_type"]) == ("o" * 200, "e" * 200)


def test_hex_knows_no_case_and_zeros_are_no_id(warehouse: Warehouse) -> None:
    """Base64, as some write ids, does know case."""
    chat = {"gen_ai.request.model": "gpt-4o", "gen_ai.usage.input_tokens": 1}
    ids = {"traceId": "ABCDEF" + "0" * 26, "spanId": "ABCDEF0000000001", "parentSpanId": "0" * 16}
    other = {"traceId": "q83vAAAAAAAAAAAAAAAAAA==", "spanId": "q83vAAAAAAE="}
    [hexadecimal, base64] = taken_in(warehouse, batch(span(chat, **ids), span(chat, **other)))
    assert hexadecimal["trace_id"] == ids["traceId"].lower()
    assert hexadecimal["span_id"] == ids["spanId"].lower()
    assert "parent_span_id" not in hexadecimal
    assert [base64["trace_id"], base64["span_id"]] == list(other.values())
    nobody = {"traceId": "0" * 32, "spanId": "0" * 16}
    warehouse.write("otel/zeros.jsonl", batch(span(chat, **nobody)))
    assert [reason for *_, reason in warehouse.ingest()["otel"].rejections] == [
        "traceId is missing; spanId is missing"
    ]


def test_no_prompt_rides_in_on_a_server(warehouse: Warehouse) -> None:
    """Nor on a status: what is longer than a word is cut."""
    told = dict.fromkeys(["server.address", "server.port", "gen_ai.openai.api_base"], "x" * 300)
    chat = {"gen_ai.request.model": "gpt-4o"} | told
    [row] = taken_in(warehouse, batch(span(chat, status={"code": "x" * 300})))
    columns = ["server_address", "server_port", "api_base", "status_code"]
    assert [row[column] for column in columns] == ["x" * 200] * 4
