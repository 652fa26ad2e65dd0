"""LiteLLM: its StandardLoggingPayload, and rows of its table LiteLLM_SpendLogs."""

from pathlib import Path

from orchestration.sources.litellm.spend_logs import FOLDER
from orchestration.sources.source import Source, text

SOURCE = Source(
    Path(__file__).parent,
    text("id", "request_id", "litellm_call_id", "session_id", "call_type", "cache_hit")
    | text("status", "custom_llm_provider", "startTime", "endTime", "completionStartTime")
    | text("created_at", "updated_at", "cost_finalized", "model", "model_group", "user", "team_id")
    | text("end_user", "prompt_tokens", "completion_tokens", "total_tokens")
    | text("response_cost", "spend")
    | {
        "metadata": "JSON",
        "error_information": text("error_code", "error_class"),
        "cost_breakdown": text("total_cost", "service_tier", "data_residency", "vertex_location"),
        "model_parameters": text("service_tier"),
        "model_map_information": text("model_map_key") | {"model_map_value": text("key")},
        "hidden_params": {"usage_object": "JSON"},
        # It may be text or a list, too. Of it the query takes the numbers of `usage` and the tier.
        "response": "JSON",
    },
    marks=("startTime", "model"),
    key="request_id",
    time="started_at",
    tokens=("prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens"),
    people=("user_id", "end_user"),
    succeeded="coalesce(status, '') <> 'failure'",
    needed={
        "prompt_tokens": "prompt_tokens",
        "completion_tokens": "completion_tokens",
        "metadata.usage_object": "nullif(has_usage_object, false)",
        "endTime": "ended_at",
        "user": "plain(coalesce(user_id, end_user))",
    },
    database_folder=FOLDER,
    shown={
        "user": "coalesce(user_id, end_user)",
        "provider": "custom_llm_provider",
        "model": "model",
        "input": "prompt_tokens",
        "output": "completion_tokens",
        "status": "coalesce(status, 'success')",
    },
    reading=3,
)
