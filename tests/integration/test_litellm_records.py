"""What is read of LiteLLM's records, wherever its versions from 1.60 to 1.110 put it."""

import json

import pytest
from conftest import Warehouse
from test_ingestion import litellm, rows

DEVICE = {"device_id": "d", "account_uuid": "", "session_id": "s"}


def row(**fields: object) -> str:
    """Write a row of the table, as `metadata` has text in it."""
    record = json.loads(litellm("r", "id")) | {"request_id": "r"} | fields
    return json.dumps(record | {"metadata": json.dumps(record["metadata"])})


def usage(**numbers: object) -> dict:
    return {"usage_object": {"prompt_tokens": 10, "total_tokens": 15} | numbers}


def answer(**numbers: object) -> dict:
    return {"response": {"usage": numbers, "choices": [{"message": "hidden"}]}}


# What of a record, and what is read of it.
RECORDS = {
    "usage in the response alone": (
        litellm(**answer(prompt_tokens=10, prompt_tokens_details={"cached_tokens": 8})),
        {"has_usage_object": True, "has_usage_field": False, "cached_tokens": 8},
    ),
    "of the Responses API": (
        litellm(
            **answer(
                input_tokens=10,
                input_tokens_details={"cached_tokens": 7},
                output_tokens_details={"reasoning_tokens": 3},
            )
        ),
        {"has_usage_object": True, "cached_tokens": 7, "reasoning_tokens": 3},
    ),
    "of Anthropic's": (
        litellm(
            **answer(input_tokens=10, cache_read_input_tokens=6, cache_creation_input_tokens=2)
        ),
        {"cached_tokens": 6, "cache_creation_tokens": 2, "has_cache_creation_detail": False},
    ),
    "in the hidden parameters": (
        litellm(hidden_params=usage(prompt_cache_hit_tokens=5)),
        {"has_usage_object": True, "cached_tokens": 5},
    ),
    "where the columns have zeros": (
        litellm(
            metadata=usage(prompt_tokens=11, completion_tokens=4, total_tokens=15),
            **dict.fromkeys(["prompt_tokens", "completion_tokens", "total_tokens"], 0),
        ),
        {"prompt_tokens": 11, "completion_tokens": 4, "total_tokens": 15},
    ),
    "where the columns have nothing": (
        litellm(
            **answer(input_tokens=11, output_tokens=4),
            **dict.fromkeys(["prompt_tokens", "completion_tokens"]),
        ),
        {"prompt_tokens": 11, "completion_tokens": 4},
    ),
    "told empty": (
        litellm(metadata={"usage_object": {}}, response="text"),
        {"has_usage_object": False, "has_usage_field": True, "cached_tokens": None},
    ),
    "null": (
        row(metadata={"usage_object": None}, response="{}"),
        {"has_usage_object": False, "has_usage_field": False},
    ),
    "what exceeds the columns": (
        row(
            metadata={
                "additional_usage_values": {
                    "cache_creation_input_tokens": 4,
                    "cache_read_input_tokens": 3,
                    "completion_tokens_details": {"reasoning_tokens": 2},
                }
            }
        ),
        {
            "has_usage_object": False,
            "cached_tokens": 3,
            "cache_creation_tokens": 4,
            "reasoning_tokens": 2,
        },
    ),
    "1.77 details what was read as what was written": (
        litellm(
            metadata=usage(
                cache_creation_input_tokens=0,
                cache_read_input_tokens=9,
                prompt_tokens_details={"cached_tokens": 9, "cache_creation_tokens": 9},
            )
        ),
        {"cached_tokens": 9, "cache_creation_tokens": 0, "has_cache_creation_detail": True},
    ),
    "written to the cache for five minutes and for an hour": (
        litellm(
            metadata=usage(
                prompt_tokens_details={
                    "cache_creation_token_details": {
                        "ephemeral_5m_input_tokens": 3,
                        "ephemeral_1h_input_tokens": 4,
                    }
                }
            )
        ),
        {"cache_write_5m_tokens": 3, "cache_write_1h_tokens": 4, "input_audio_tokens": None},
    ),
    "as Anthropic tells it": (
        litellm(
            **answer(
                input_tokens=10,
                cache_creation={"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 4},
                server_tool_use={"web_search_requests": 2},
                service_tier="standard",
                inference_geo="us",
                speed="fast",
            )
        ),
        {
            "cache_write_5m_tokens": 0,
            "cache_write_1h_tokens": 4,
            "web_searches": 2,
            "service_tier": "fast",
            "region": "us",
        },
    ),
    "audio, images and video": (
        litellm(
            metadata=usage(
                prompt_tokens_details={
                    "audio_tokens": 3,
                    "image_tokens": 2,
                    "video_tokens": 1,
                    "cached_tokens_details": {"audio_tokens": 1},
                    "web_search_requests": 1,
                },
                completion_tokens_details={"audio_tokens": 4, "image_tokens": 5, "video_tokens": 6},
            )
        ),
        {
            "input_audio_tokens": 3,
            "cache_audio_read_tokens": 1,
            "input_image_tokens": 2,
            "input_video_tokens": 1,
            "output_audio_tokens": 4,
            "output_image_tokens": 5,
            "output_video_tokens": 6,
            "web_searches": 1,
        },
    ),
    "the tier that was charged": (
        litellm(
            cost_breakdown={"service_tier": "priority", "data_residency": "eu"},
            model_parameters={"service_tier": "flex"},
        ),
        {"service_tier": "priority", "region": "eu"},
    ),
    # LiteLLM charges what was asked for, if anything was.
    "the tier that was served rather than charged": (
        litellm(cost_breakdown={"service_tier": "priority"}, response={"service_tier": "default"}),
        {"service_tier": "default"},
    ),
    "in metadata, and the location": (
        row(
            metadata={"cost_breakdown": {"service_tier": "flex", "vertex_location": "us-east5"}},
        ),
        {"service_tier": "flex", "region": "us-east5"},
    ),
    "the tier that was served": (
        litellm(
            response={"service_tier": "default"}, model_parameters={"service_tier": "priority"}
        ),
        {"service_tier": "default", "region": None},
    ),
    "as Gemini tells it": (
        litellm(response={"usageMetadata": {"trafficType": "ON_DEMAND_FLEX"}}),
        {"service_tier": "ON_DEMAND_FLEX"},
    ),
    "the tier that was asked for": (
        litellm(response="text", model_parameters={"service_tier": "flex"}),
        {"service_tier": "flex"},
    ),
    "the provider's total": (litellm(metadata=usage(total_tokens=20)), {"total_tokens": 20}),
    "LiteLLM's total": (litellm(total_tokens=15), {"total_tokens": 15}),
    "the call's id in metadata": (
        row(metadata={"litellm_call_id": "c"}),
        {"litellm_call_id": "c", "record_format": "spend_logs"},
    ),
    "the status in metadata": (row(metadata={"status": "failure"}), {"status": "failure"}),
    "settled": (
        litellm(cost_finalized=True, cost_breakdown={"total_cost": 0.5}),
        {"is_cost_final": True, "response_cost_usd": 0.5},
    ),
    "a row as it was written": (
        row(created_at="2025-11-01 12:00:00", updated_at="2025-11-01 12:00:00.5"),
        {"is_settled": False},
    ),
    "and settled": (
        row(created_at="2025-11-01 12:00:00", updated_at="2025-11-01 13:00:00"),
        {"is_settled": True},
    ),
    "corrected": (row(updated_at="2025-11-01 13:00:00"), {"is_settled": True}),
    "neither": (row(), {"is_settled": False}),
    "an experiment": (
        litellm(metadata={"is_silent_experiment": True}),
        {"is_silent_experiment": True, "internal_call_origin": None},
    ),
    "LiteLLM's own call": (
        row(metadata={"internal_call_origin": "shadow_eval_judge"}),
        {"is_silent_experiment": False, "internal_call_origin": "shadow_eval_judge"},
    ),
    "a deployment": (
        litellm(
            model_map_information={"model_map_key": "azure/gpt-4o", "model_map_value": {"key": "k"}}
        ),
        {"model_map_key": "azure/gpt-4o", "is_model_mapped": True},
    ),
    "a deployment in metadata": (
        row(metadata={"model_map_information": {"model_map_key": "m", "model_map_value": None}}),
        {"model_map_key": "m", "is_model_mapped": False},
    ),
    "no model": (row(model=""), {"model": None}),
    "a prompt for a model": (
        litellm(status="failure", model="please\nwrite a poem"),
        {"model": "unknown-model", "status": "failure"},
    ),
    "a long kind of error": (
        litellm(error_information={"error_class": "x" * 300, "error_code": {"a": 1}}),
        {"error_class": "x" * 200, "error_code": None},
    ),
    "an end user in metadata": (
        litellm(end_user="", metadata={"user_api_key_end_user_id": "dave"}),
        {"end_user": "dave", "user_id": None},
    ),
    "in a header": (
        litellm(
            metadata={
                "user_api_key_user_id": "svc",
                "user_api_key_alias": "bot",
                "requester_custom_headers": {"x-litellm-customer-id": "erin"},
            }
        ),
        {"end_user": "erin", "user_id": "svc", "key_alias": "bot"},
    ),
    "in Open WebUI's": (
        litellm(metadata={"requester_custom_headers": {"x-openwebui-user-email": "f@corp"}}),
        {"end_user": "f@corp"},
    ),
    "a key is nobody": (litellm(end_user="sk-1234"), {"end_user": None}),
    "Claude Code's account": (
        litellm(end_user="user_0a1b_account_c2d3-e4_session_f5"),
        {"end_user": "c2d3-e4"},
    ),
    "Claude Code's device": (
        litellm(end_user="user_0a1b_account__session_f5"),
        {"end_user": "user_0a1b"},
    ),
    "Claude Code since 2.1": (litellm(end_user=json.dumps(DEVICE)), {"end_user": "d"}),
}


@pytest.mark.parametrize("bad", [0, 1], ids=["by DuckDB alone", "line by line"])
def test_what_is_read_of_each(warehouse: Warehouse, bad: int) -> None:
    for number, (record, _) in enumerate(RECORDS.values()):
        warehouse.write(f"litellm/{number:02}.jsonl", record)
    warehouse.write("litellm/bad.jsonl", "{bad" * bad)
    summary = warehouse.ingest()["litellm"]
    assert (summary.accepted, summary.rejected) == (len(RECORDS), bad), summary.rejections
    for number, (name, (_, expected)) in enumerate(RECORDS.items()):
        columns = ", ".join(expected)
        found = rows(warehouse, "litellm", f"landing_file, {columns}")
        [values] = [row[1:] for row in found if row[0] == f"litellm/{number:02}.jsonl"]
        assert dict(zip(expected, values, strict=True)) == expected, name
