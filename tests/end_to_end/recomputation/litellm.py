"""LiteLLM's StandardLoggingPayload, and a row of its table LiteLLM_SpendLogs."""

import json
import re
from typing import Any

from recomputation.events import Event
from recomputation.names import model_name, provider_name, region_name, service_tier
from recomputation.tokens import WITHIN, Told, disjoint
from recomputation.values import (
    EPOCH,
    MILLISECOND,
    Row,
    count,
    first,
    flag,
    identifier,
    moment,
    money,
    required,
    text,
)
from recomputation.who import user_of

KINDS = ("audio", "image", "video")
HEALTH_CHECK = "litellm-internal-health-check"
BATCH_POLLS = ("retrieve_batch", "aretrieve_batch")
RESPONSE_POLLS = ("get_responses", "aget_responses")
# What asks no AI, unless it tells usage.
NO_CALLS = {"call_mcp_tool", "list_mcp_tools"}
NO_CALLS |= {
    prefix + name
    for prefix in ("", "a")
    for name in (
        *("retrieve_batch", "get_responses", "create_batch", "cancel_batch", "list_batches"),
        *("create_file", "retrieve_file", "file_content", "delete_file", "list_files"),
        *("count_tokens", "vector_store_create", "vector_store_search"),
        *("delete_responses", "list_input_items", "cancel_responses"),
    )
}


def is_uuid(name: str) -> bool:
    return re.fullmatch("[0-9a-f-]{36}", name) is not None


def details(usage: Row, name: str) -> Row:
    return usage.get(name) or {}


def details_of(usage: Row) -> tuple[Row, Row]:
    """As OpenAI's chat names them, or else its responses and realtime interfaces."""
    return tuple(
        details(usage, f"{of_chat}_tokens_details") or details(usage, f"{of_others}_tokens_details")
        for of_chat, of_others in (("prompt", "input"), ("completion", "output"))
    )


def model_told(record: Row, metadata: Row, group: str | None) -> str | None:
    """What a deployment is, if LiteLLM knows it as more than what was asked for."""
    known_as = record.get("model_map_information") or metadata.get("model_map_information") or {}
    key = text(known_as.get("model_map_key"))
    if key and (key != group or details(known_as, "model_map_value").get("key")):
        return key
    return text(record.get("model"))


def told(record: Row, usage: Row) -> Told:
    """Cache and reasoning are within; LiteLLM adds up what its providers tell apart."""
    of_input, of_output = details_of(usage)
    return Told(
        count(record.get("prompt_tokens")),
        count(first(of_input.get("cached_tokens"), usage.get("cache_read_input_tokens"))),
        count(
            first(
                of_input.get("cache_write_tokens"),
                of_input.get("cache_creation_tokens"),
                usage.get("cache_creation_input_tokens"),
            )
        ),
        count(record.get("completion_tokens")),
        count(of_output.get("reasoning_tokens")),
        count(record.get("total_tokens")),
        WITHIN,
        WITHIN,
    )


def told_finer(usage: Row) -> dict[str, int | None]:
    of_input, of_output = details_of(usage)
    lives = details(usage, "cache_creation") or details(of_input, "cache_creation_token_details")
    return {
        **{f"input_{kind}": count(of_input.get(f"{kind}_tokens")) for kind in KINDS},
        **{f"output_{kind}": count(of_output.get(f"{kind}_tokens")) for kind in KINDS},
        "cache_audio_read": count(details(of_input, "cached_tokens_details").get("audio_tokens")),
        "cache_write_5m": count(lives.get("ephemeral_5m_input_tokens")),
        "cache_write_1h": count(lives.get("ephemeral_1h_input_tokens")),
    }


def tier_told(record: Row, breakdown: Row, usage: Row) -> str | None:
    """What was served, else what was charged, which is what was asked for."""
    response = record.get("response")
    answer = response if isinstance(response, dict) else {}
    return service_tier(
        first(
            "fast" if usage.get("speed") == "fast" else None,
            text(usage.get("service_tier")),
            text(answer.get("service_tier")),
            text(details(answer, "usageMetadata").get("trafficType")),
            text(breakdown.get("service_tier")),
            text(details(record, "model_parameters").get("service_tier")),
        )
    )


def litellm_event(record: Row, **landed: Any) -> Event:
    metadata = record.get("metadata") or {}
    if isinstance(metadata, str):
        metadata = json.loads(metadata)
    response = record.get("response") or {}
    usage = metadata.get("usage_object")
    if usage is None and isinstance(response, dict):  # early payloads
        usage = response.get("usage")
    usage = usage or {}
    breakdown = record.get("cost_breakdown") or metadata.get("cost_breakdown") or {}
    error = record.get("error_information") or metadata.get("error_information") or {}
    start, end = required(moment(record.get("startTime"))), moment(record.get("endTime"))
    first_token = moment(record.get("completionStartTime"))
    name, is_row = text(record.get("id")), text(record.get("id")) is None
    name = name or required(text(record.get("request_id")))
    call = first(text(record.get("litellm_call_id")), text(metadata.get("litellm_call_id")))
    group = text(record.get("model_group"))
    model = model_told(record, metadata, group)
    provider = provider_name(text(record.get("custom_llm_provider")), model)
    hit, call_type = flag(record.get("cache_hit")), text(record.get("call_type"))

    as_told = told(record, usage)
    tokens, is_part_cut = disjoint(as_told)
    nothing = not any(as_told[:5])
    # A row may call a failure a success. Whatever answered told its usage, or bears its own id.
    no_answer = nothing and not usage and (name == call or (not call and is_uuid(name)))
    failed = record["status"] == "failure" or (is_row and no_answer)
    is_told = bool(usage) or not nothing
    if not is_told:
        tokens = None
    team = first(text(metadata.get("user_api_key_team_id")), text(record.get("team_id")))
    owner = first(text(metadata.get("user_api_key_user_id")), text(record.get("user")))
    end_user = first(text(record.get("end_user")), text(metadata.get("user_api_key_end_user_id")))
    if end_user and end_user.startswith("sk-"):  # some clients send their key there
        end_user = None
    no_person = "health check" if HEALTH_CHECK in (owner, team) else None
    is_first_token = first_token and end and first_token < end
    if failed or not call:
        call_id = f"{call or name}/{(start - EPOCH) // MILLISECOND}"
    else:  # one call may ask several models, each of which answers
        call_id = call if hit or name == call else f"{call}/{name}"
    is_batch = call_type in BATCH_POLLS
    if is_batch and not nothing:  # each poll of what has ended tells it
        call_id = name
    is_left_out = call_type in NO_CALLS and nothing
    if call_type in RESPONSE_POLLS:  # they tell again what their response has told
        is_bill = name.endswith("_background_cost") or record.get("cost_finalized") is not None
        is_left_out = nothing or not is_bill
    return Event(
        source="litellm",
        teller="litellm_table" if is_row else "litellm_payload",
        updated_at=moment(record.get("updated_at")),
        is_provisional=record.get("cost_finalized") is False,
        call_id=call_id,
        response_id=None if hit or is_batch or name == call else identifier(name),
        witnesses=frozenset({identifier(name), call} - {None}) if not hit else frozenset(),
        prompt_id=call or name,
        session_id=first(
            None if is_row else text(details(metadata, "requester_metadata").get("session_id")),
            text(record.get("session_id")),
        ),
        is_session_id_doubtful=is_row,
        user_id=user_of(owner, end_user, text(metadata.get("user_api_key_alias")), no_person),
        end_user_id=end_user,
        team_id=team,
        provider=provider,
        model=model_name(provider, model),
        asked=frozenset({group} - {None}),
        status="failure" if failed else "success",
        error_type=first(text(error.get("error_class")), text(error.get("error_code")))
        if failed
        else None,
        is_cache_hit=hit,
        tokens=tokens,
        finer=told_finer(usage) if tokens else {},
        is_part_cut=is_part_cut,
        web_searches=count(
            first(
                details(usage, "server_tool_use").get("web_search_requests"),
                details(usage, "prompt_tokens_details").get("web_search_requests"),
            )
        ),
        service_tier="batch" if is_batch else tier_told(record, breakdown, usage),
        region=region_name(
            first(
                text(usage.get("inference_geo")),
                text(breakdown.get("data_residency")),
                text(breakdown.get("vertex_location")),
            ),
            provider,
            model,
        ),
        is_sum_of_calls=is_batch,
        reported_cost_usd=money(first(record.get("response_cost"), record.get("spend"))),
        requested_at=start,
        first_token_at=first_token if is_first_token else None,
        completed_at=end,
        left_out_as=call_type if is_left_out else None,
        **landed,
    )
