"""OpenTelemetry: GenAI spans as OTLP/JSON lines, in the names of the conventions and of senders."""

from pathlib import Path

from orchestration.sources.source import Source, text

_ATTRIBUTES = [text("key") | {"value": text("stringValue", "intValue", "doubleValue", "boolValue")}]
_SPAN = text("traceId", "spanId", "parentSpanId", "startTimeUnixNano", "endTimeUnixNano") | {
    # Compared, never kept.
    "name": "VARCHAR",
    "status": text("code"),
    "attributes": _ATTRIBUTES,
    "events": [text("name", "timeUnixNano")],
}

SOURCE = Source(
    Path(__file__).parent,
    {
        "resourceSpans": [
            {
                "resource": {"attributes": _ATTRIBUTES},
                "scopeSpans": [{"scope": text("name"), "spans": [_SPAN]}],
            }
        ]
    },
    marks=("resourceSpans",),
    key="span_id",
    time="started_at",
    tokens=("input_tokens", "prompt_tokens", "output_tokens", "completion_tokens"),
    people=("user_id", "end_user", "resource_user_id"),
    people_names=("user_name", "resource_user_name"),
    succeeded="""
        is_genai and error_type is null
        and coalesce(status_code, '') not in ('2', 'STATUS_CODE_ERROR')
        and coalesce(operation_name, 'chat') in ('chat', 'text_completion', 'generate_content')
    """,
    needed={
        "gen_ai.request.model": "coalesce(request_model, response_model)",
        "gen_ai.usage.input_tokens": "coalesce(input_tokens, prompt_tokens)",
        "gen_ai.usage.output_tokens": "coalesce(output_tokens, completion_tokens)",
    },
    counted="is_genai",
    attributes_of_use="gen_ai.usage.",
    shown={
        "user": "coalesce(user_id, end_user)",
        "provider": "coalesce(provider_name, system)",
        "model": "coalesce(response_model, request_model)",
        "input": "coalesce(input_tokens, prompt_tokens)",
        "output": "coalesce(output_tokens, completion_tokens)",
        "status": "case when status_code in ('2', 'STATUS_CODE_ERROR') then 'failure' "
        "else 'success' end",
    },
    reading=3,
)
