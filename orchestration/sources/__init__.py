"""The sources: what is read from a landed record, and the query that makes raw columns of it."""

from dataclasses import dataclass
from pathlib import Path

_HERE = Path(__file__).parent
_JSON = (".jsonl", ".ndjson", ".json")
MACROS = (_HERE / "macros.sql").read_text()
DRIFT = (_HERE / "drift.sql").read_text()

# A JSON structure as DuckDB's from_json takes it: a type, a list of one structure, or fields.
Structure = str | list | dict


@dataclass(frozen=True)
class Source:
    """A kind of gateway.

    `structure` is all that is read of a record: what it does not name, prompts and answers above
    all, is never taken in. `query` selects the raw columns from the relation `landing`; `key`,
    `time` and `tokens` are those of them that tell which request it was, when, and how large.
    `needed` maps what no record must have, but reports need, to its SQL; it is to be expected in
    the events for which the SQL condition `succeeded` holds.
    """

    name: str
    structure: dict[str, Structure]
    key: str
    time: str
    tokens: tuple[str, ...]
    succeeded: str
    needed: dict[str, str]
    formats: tuple[str, ...] = _JSON

    @property
    def query(self) -> str:
        """The select that types the records and says what is wrong with them."""
        return (_HERE / f"{self.name}.sql").read_text()

    @property
    def counted(self) -> str:
        """SQL condition: the row is an event, not context that other events need."""
        return "is_genai" if self.name == "otel" else "true"

    def profile(self, load_id: str, events: str) -> str:
        """The select of a load's profile, one row per landed file; `events` is a relation."""
        needed = (
            f"'{name}': count({sql}) filter ({self.succeeded})" for name, sql in self.needed.items()
        )
        return (
            (_HERE / "profile.sql")
            .read_text()
            .format(
                events=events,
                load_id=load_id,
                source=self.name,
                counted=self.counted,
                succeeded=self.succeeded,
                needed=", ".join(needed),
                key=self.key,
                time=self.time,
                tokens=", ".join(self.tokens),
            )
        )


def duckdb_type(structure: Structure) -> str:
    """Write a structure as a DuckDB type, such as STRUCT("key" VARCHAR)[]."""
    if isinstance(structure, list):
        return duckdb_type(structure[0]) + "[]"
    if isinstance(structure, dict):
        fields = (f'"{name}" {duckdb_type(inner)}' for name, inner in structure.items())
        return f"STRUCT({', '.join(fields)})"
    return structure


def _text(*names: str) -> dict[str, Structure]:
    return dict.fromkeys(names, "VARCHAR")


_SPAN = _text("traceId", "spanId", "parentSpanId", "startTimeUnixNano", "endTimeUnixNano") | {
    "status": _text("code"),
    "attributes": [
        _text("key") | {"value": _text("stringValue", "intValue", "doubleValue", "boolValue")}
    ],
    "events": [_text("name", "timeUnixNano")],
}

SOURCES = (
    Source(
        "litellm",
        _text("id", "request_id", "litellm_call_id", "session_id", "call_type", "cache_hit")
        | _text("status", "custom_llm_provider", "startTime", "endTime", "completionStartTime")
        | _text("model", "user", "team_id", "end_user", "prompt_tokens", "completion_tokens")
        | _text("response_cost", "spend")
        | {"metadata": "JSON", "error_information": _text("error_code", "error_class")},
        key="request_id",
        time="started_at",
        tokens=("prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens"),
        succeeded="coalesce(status, '') <> 'failure'",
        needed={
            "prompt_tokens": "prompt_tokens",
            "completion_tokens": "completion_tokens",
            "metadata.usage_object": "nullif(has_usage_object, false)",
            "endTime": "ended_at",
            "user": "plain(coalesce(user_id, end_user))",
        },
    ),
    Source(
        "otel",
        {"resourceSpans": [{"scopeSpans": [{"spans": [_SPAN]}]}]},
        key="span_id",
        time="started_at",
        tokens=("input_tokens", "prompt_tokens", "output_tokens", "completion_tokens"),
        succeeded="""
            is_genai and error_type is null
            and coalesce(status_code, '') not in ('2', 'STATUS_CODE_ERROR')
            and coalesce(operation_name, 'chat') in ('chat', 'text_completion', 'generate_content')
        """,
        needed={
            "gen_ai.usage.input_tokens": "coalesce(input_tokens, prompt_tokens)",
            "gen_ai.usage.output_tokens": "coalesce(output_tokens, completion_tokens)",
        },
    ),
    Source(
        "gateway",
        _text("request_id", "requested_at", "provider", "model", "user_id", "user_name", "team_id")
        | _text("session_id", "prompt_id", "status", "error_type", "is_cache_hit", "input_tokens")
        | _text("cache_read_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens")
        | _text("response_time_ms", "time_to_first_token_ms", "cost_usd"),
        key="request_id",
        time="requested_at",
        tokens=("input_tokens", "cache_read_tokens", "output_tokens", "reasoning_tokens"),
        succeeded="status = 'success' and not is_cache_hit",
        needed={
            "input_tokens": "input_tokens",
            "output_tokens": "output_tokens",
            "response_time_ms": "response_time_ms",
            "user_id": "plain(user_id)",
            "session_id": "plain(session_id)",
        },
        formats=(*_JSON, ".csv", ".parquet"),
    ),
)
