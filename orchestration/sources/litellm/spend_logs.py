"""The table LiteLLM_SpendLogs of LiteLLM's PostgreSQL database: what is asked of it, and how.

Source of the table: schema.prisma of LiteLLM 1.110, and the migrations that led to it.
"""

import re
from datetime import datetime
from pathlib import Path

from orchestration.settings import UserError

URL = "AI_USAGE_LITELLM_DATABASE_URL"
# Where in landing/ what was read of it is put, wherever else files land.
FOLDER = "litellm/LiteLLM_SpendLogs"

_ROWS = Path(__file__).with_name("spend_logs.sql").read_text()
# These came with later versions of LiteLLM; without metadata there are no tokens to report.
_LATER_COLUMNS = {
    *("session_id", "status", "litellm_call_id", "model_group", "total_tokens"),
    *("created_at", "updated_at"),
}
_COLUMNS = (
    *("request_id", "litellm_call_id", "session_id", "call_type", "cache_hit", "status", "model"),
    *("model_group", "custom_llm_provider", "startTime", "completionStartTime", "endTime"),
    *("created_at", "updated_at", "user", "end_user", "team_id", "prompt_tokens"),
    *("completion_tokens", "total_tokens", "spend", "metadata"),
)
# The fields of metadata that records.sql reads, and those within them. The other columns, and the
# other fields, may hold prompts and answers.
Fields = dict[str, "Fields | None"]


def _fields(*names: str, **within: Fields) -> Fields:
    return dict.fromkeys(names) | within


_LIVES = _fields("ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens")
_USAGE = _fields(
    *("prompt_tokens", "input_tokens", "completion_tokens", "output_tokens", "total_tokens"),
    *("cache_read_input_tokens", "cache_creation_input_tokens", "prompt_cache_hit_tokens"),
    *("service_tier", "speed", "inference_geo"),
    prompt_tokens_details=_fields(
        *("cached_tokens", "cache_write_tokens", "cache_creation_tokens", "audio_tokens"),
        *("image_tokens", "video_tokens", "web_search_requests"),
        cached_tokens_details=_fields("audio_tokens"),
        cache_creation_token_details=_LIVES,
    ),
    input_tokens_details=_fields(
        *("cached_tokens", "audio_tokens", "image_tokens"),
        cached_tokens_details=_fields("audio_tokens"),
    ),
    completion_tokens_details=_fields(
        "reasoning_tokens", "audio_tokens", "image_tokens", "video_tokens"
    ),
    output_tokens_details=_fields("reasoning_tokens", "audio_tokens", "image_tokens"),
    cache_creation=_LIVES,
    server_tool_use=_fields("web_search_requests"),
)
METADATA = _fields(
    *("user_api_key_user_id", "user_api_key_end_user_id", "user_api_key_alias"),
    *("user_api_key_team_id", "litellm_call_id", "status", "is_silent_experiment"),
    "internal_call_origin",
    requester_metadata=_fields("session_id"),
    requester_custom_headers=_fields(
        *("x-litellm-customer-id", "x-litellm-end-user-id"),
        *("x-openwebui-user-email", "x-openwebui-user-id"),
    ),
    error_information=_fields("error_code", "error_class"),
    model_map_information=_fields("model_map_key", model_map_value=_fields("key")),
    cost_breakdown=_fields("service_tier", "data_residency", "vertex_location"),
    usage_object=_USAGE,
    additional_usage_values=_USAGE,
)
COLUMNS_PRESENT = """
    select cast(attname as text) as name, format_type(atttypid, null) as type from pg_attribute
    where attrelid = cast('"LiteLLM_SpendLogs"' as regclass) and attnum > 0 and not attisdropped
"""
# Times in UTC as ISO 8601, numbers to their last digit; and nothing is ever written.
SESSION = (
    "set transaction read only",
    "set local client_encoding = 'UTF8'",
    "set local time zone 'UTC'",
    "set local datestyle = 'ISO'",
    "set local extra_float_digits = 1",
)
# What the driver may say, and what that means to people: its own words may hold the password.
_REASONS = {
    "42P01": "it has no table LiteLLM_SpendLogs: name the database, and the schema, of LiteLLM",
    "42501": "its user may not read LiteLLM_SpendLogs: grant select on it",
    "password|role .* does not exist": "it refuses the user or the password: put them right",
    "database .* does not exist": "the server has no database of that name: put it right",
    "URI|connection (info|option)|invalid (integer|port)": "it is no address like "
    "postgresql://user:password@host:port/database; parameters that only Prisma knows, such as "
    "schema or connection_limit, must not be in it",
    "22P02|22007|42804|42846|42883": "a column of LiteLLM_SpendLogs has not the type that LiteLLM "
    "gave it; if LiteLLM has changed it, this project must be updated",
    "Failed to connect": "it cannot be reached: see that it runs and lets this machine connect",
}


def select_rows(
    types: dict[str, str], since: datetime | None, settled_since: datetime | None = None
) -> str:
    """Write the query for what started from then on, a time in UTC; without one, for everything.

    Besides for what started from `settled_since` on, and has changed from `since` on. `types` has
    the type of each column, by COLUMNS_PRESENT.

    Raises:
        UserError: a column is missing, or the time is none.
    """
    missing = [name for name in _COLUMNS if name not in types and name not in _LATER_COLUMNS]
    if missing:
        raise UserError(
            f"LiteLLM_SpendLogs, in the database of {URL}, has no column {', '.join(missing)}, "
            "which is needed. See whether it is LiteLLM's table; if LiteLLM has changed it, this "
            "project must be updated. Nothing of it was taken in."
        )
    if not types["startTime"].startswith("timestamp"):
        raise UserError(
            f"startTime of LiteLLM_SpendLogs, in the database of {URL}, is of the type "
            f"{types['startTime']} and no timestamp. If LiteLLM has changed it, this project must "
            "be updated. Nothing of it was taken in."
        )
    columns = ",\n    ".join(
        f'cast({f"""logs."{name}" """ if name in types else "null"} as text) as "{name}"'
        for name in _COLUMNS
        if name != "metadata"
    )
    condition = "true"
    if since:
        condition = f'logs."startTime" >= {_literal(since)}'
        if "updated_at" in types:
            condition += (
                f' or (logs."startTime" >= {_literal(settled_since)}'
                f" and logs.updated_at >= {_literal(since)})"
            )
    return _ROWS.format(
        columns=columns,
        condition=condition,
        metadata=_kept("kept", METADATA),
        fields=", ".join(f"{name} jsonb" for name in METADATA),
    )


def _literal(time: datetime) -> str:
    return f"'{time:%Y-%m-%d %H:%M:%S.%f}'"


def _kept(document: str, fields: Fields) -> str:
    """Write what makes a document of these fields alone; `kept` is no document but a row."""
    pairs = []
    for name, within in fields.items():
        value = f"kept.{name}" if document == "kept" else f"{document} -> '{name}'"
        if within:
            value = (
                f"case jsonb_typeof({value}) when 'object' then {_kept(f'({value})', within)} end"
            )
        pairs.append(f"'{name}', {value}")
    return f"jsonb_build_object({', '.join(pairs)})"


def meaning(error: Exception) -> str:
    """Say what an error of the driver means, in words of which none are the driver's."""
    code = getattr(error, "sqlstate", None)
    for pattern, reason in _REASONS.items():
        if re.search(pattern, code or str(error)):
            return reason
    return f"PostgreSQL ended it{f' with the code {code}' if code else ''}, see its own log"
