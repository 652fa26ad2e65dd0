"""The general format, for every gateway that has none of its own: flat, one row a request."""

from pathlib import Path

from orchestration.sources.source import JSON, Source, text

SOURCE = Source(
    Path(__file__).parent,
    text("request_id", "response_id", "requested_at", "updated_at", "provider", "model")
    | text("user_id", "user_name", "end_user_id", "team_id", "session_id", "prompt_id")
    | text("status", "error_type", "is_cache_hit", "input_tokens", "cache_read_tokens")
    | text("cache_write_tokens", "output_tokens", "reasoning_tokens", "response_time_ms")
    | text("time_to_first_token_ms", "cost_usd")
    | text("cache_write_5m_tokens", "cache_write_1h_tokens", "input_audio_tokens")
    | text("cache_audio_read_tokens", "input_image_tokens", "input_video_tokens")
    | text("output_audio_tokens", "output_image_tokens", "output_video_tokens")
    | text("web_searches", "service_tier", "region", "is_sum_of_calls"),
    key="request_id",
    time="requested_at",
    tokens=("input_tokens", "cache_read_tokens", "output_tokens", "reasoning_tokens"),
    people=("user_id", "end_user_id"),
    people_names=("user_name",),
    succeeded="status = 'success' and not is_cache_hit",
    needed={
        "input_tokens": "input_tokens",
        "output_tokens": "output_tokens",
        "response_time_ms": "response_time_ms",
        "user_id": "user_id",
        "session_id": "session_id",
    },
    formats=(*JSON, ".csv", ".parquet"),
    marks=("request_id", "requested_at"),
    shown={
        "user": "coalesce(user_id, end_user_id)",
        "provider": "provider",
        "model": "model",
        "input": "input_tokens",
        "output": "output_tokens",
        "status": "status",
    },
    reading=3,
)
