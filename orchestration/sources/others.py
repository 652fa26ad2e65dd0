"""Records that are known and not read here: other signals, other products' exports, other folders.

They are passed over and counted by kind, and never judged as bad records: whoever landed them is
told in a line what they are. Each is known by fields that stand in it together; where these were
read is said beside them.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from orchestration.sources.source import Source


@dataclass(frozen=True)
class Kind:
    """A kind of record: what it is called, all fields that it is known by, and what to do.

    Those of `source` are read where that source lands, and nowhere else.
    """

    name: str
    fields: tuple[str, ...]
    advice: str = "they are not read"
    source: str | None = None


_SIGNALS = "of OpenTelemetry only traces are read"
_SUMS = "they are sums of requests, and not read"
_WRAPPED = "each record must be a line, or in a JSON array, of its own"

KINDS = (
    # opentelemetry-proto: metrics_service.proto, logs_service.proto, profiles_service.proto
    Kind("OpenTelemetry's metrics", ("resourceMetrics",), _SIGNALS),
    Kind("OpenTelemetry's logs", ("resourceLogs",), _SIGNALS),
    Kind("OpenTelemetry's profiles", ("resourceProfiles",), _SIGNALS),
    Kind("spans", ("resourceSpans",), "they belong into landing/otel/", "otel"),
    # opentelemetry-python: ReadableSpan.to_json; jaeger-idl: model.proto; zipkin-api: zipkin2-api
    Kind(
        "spans as an SDK's console exporter writes them",
        ("context", "parent_id", "start_time"),
        "have them exported as OTLP",
    ),
    Kind("Jaeger's spans", ("traceID", "spanID"), "have them exported as OTLP"),
    Kind("Zipkin's spans", ("traceId", "id", "timestamp"), "have them exported as OTLP"),
    Kind(
        "LiteLLM's requests",
        ("startTime", "endTime", "call_type"),
        "they belong into landing/litellm/",
        "litellm",
    ),
    # LiteLLM: view_spend_logs with summarize, and schema.prisma, LiteLLM_DailyUserSpend
    Kind("LiteLLM's spend by day", ("startTime", "spend", "models"), _SUMS),
    Kind("LiteLLM's spend by day", ("date", "spend", "api_requests"), _SUMS),
    Kind(
        "requests in the general format",
        ("request_id", "requested_at"),
        "they belong into landing/gateway/",
        "gateway",
    ),
    # OpenRouter: export of the activity page; api/v1/activity; api/v1/generation
    Kind("OpenRouter's export of activity", ("generation_id", "model_permaslug")),
    Kind("OpenRouter's activity by day", ("model_permaslug", "byok_usage_inference"), _SUMS),
    Kind("OpenRouter's generations", ("native_tokens_prompt", "native_tokens_completion")),
    # Amazon Bedrock: model invocation logging
    Kind("Bedrock's invocation log", ("schemaType", "modelId", "operation")),
    # Cloudflare: ai-gateway/gateways/{id}/logs; Logpush, ai_gateway_events
    Kind("Cloudflare AI Gateway's log", ("tokens_in", "tokens_out", "model_type")),
    Kind("Cloudflare AI Gateway's log", ("Gateway", "Endpoint", "Model", "Provider")),
    # Langfuse: blob storage export, api/public/observations
    Kind("Langfuse's observations", ("usage_details", "cost_details")),
    Kind("Langfuse's observations", ("usageDetails", "costDetails")),
    # Helicone: HeliconeRequest; Portkey: logs export
    Kind("Helicone's requests", ("request_created_at", "response_id")),
    Kind("Portkey's logs", ("ai_org", "ai_model", "req_units")),
    # OpenAI: organization/usage; Anthropic: organizations/usage_report
    Kind("OpenAI's usage by bucket", ("object", "start_time", "results"), _SUMS),
    Kind("OpenAI's usage by bucket", ("object", "num_model_requests"), _SUMS),
    Kind("Anthropic's usage by bucket", ("starting_at", "ending_at", "results"), _SUMS),
    # Claude Code: ~/.claude/projects
    Kind("Claude Code's transcripts", ("parentUuid", "sessionId", "uuid")),
    # What an API answers around its records.
    Kind("answers of an API", ("data", "has_more"), _WRAPPED),
    Kind("answers of an API", ("data", "meta"), _WRAPPED),
    Kind("answers of an API", ("data", "total_pages"), _WRAPPED),
    Kind("answers of an API", ("result", "success"), _WRAPPED),
)


def kind_of(fields: Iterable[str], source: Source) -> Kind | None:
    """Tell what a record with such fields is, if it is of a kind that the source does not read."""
    there = set(fields)
    if there.issuperset(source.marks):
        return None
    found = (kind for kind in _others(source) if there.issuperset(kind.fields))
    return next(found, None)


def sql_of_kind(fields: str, source: Source) -> str:
    """Write the same in SQL: `fields` is a list, and the result the place of the kind in KINDS."""
    branches = " ".join(
        f"when list_has_all({fields}, {list(kind.fields)}) then {KINDS.index(kind)}"
        for kind in _others(source)
    )
    return f"case when list_has_all({fields}, {list(source.marks)}) then null {branches} end"


def _others(source: Source) -> tuple[Kind, ...]:
    return tuple(kind for kind in KINDS if kind.source != source.name)
