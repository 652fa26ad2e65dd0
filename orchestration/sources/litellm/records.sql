-- LiteLLM's StandardLoggingPayload, and rows of its table LiteLLM_SpendLogs. Both are one JSON
-- object a request; SpendLogs writes its metadata as JSON inside a string.
-- Source of the formats: litellm/types/utils.py and schema.prisma of LiteLLM 1.106.
with unpacked as (
    select
        landing.* rename (metadata as landed_metadata),
        case
            when json_type(metadata) = 'VARCHAR' then try_cast(metadata ->> '$' as json)
            else metadata
        end as metadata
    from landing
)

select
    case when given(id) is null then 'spend_logs' else 'standard_logging_payload' end
        as record_format,
    coalesce(given(id), given(request_id)) as request_id,
    given(litellm_call_id) as litellm_call_id,
    as_time("startTime") as started_at,
    as_time("completionStartTime") as completion_started_at,
    as_time("endTime") as ended_at,
    given(call_type) as call_type,
    given(status) as status,
    given(cache_hit) as cache_hit,
    coalesce(given(error_information.error_code), metadata ->> '$.error_information.error_code')
        as error_code,
    coalesce(given(error_information.error_class), metadata ->> '$.error_information.error_class')
        as error_class,
    given(custom_llm_provider) as custom_llm_provider,
    given(model) as model,
    given(session_id) as session_id,
    given(metadata ->> '$.requester_metadata.session_id') as requester_session_id,
    coalesce(given(metadata ->> '$.user_api_key_user_id'), given("user")) as user_id,
    given(end_user) as end_user,
    coalesce(given(metadata ->> '$.user_api_key_team_id'), given(team_id)) as team_id,
    coalesce(json_type(metadata, '$.usage_object.total_tokens') is not null, false)
        as has_usage_object,
    as_count(prompt_tokens) as prompt_tokens,
    as_count(completion_tokens) as completion_tokens,
    as_count(coalesce(
        metadata ->> '$.usage_object.prompt_tokens_details.cached_tokens',
        metadata ->> '$.usage_object.cache_read_input_tokens'
    )) as cached_tokens,
    as_count(coalesce(
        metadata ->> '$.usage_object.prompt_tokens_details.cache_write_tokens',
        metadata ->> '$.usage_object.prompt_tokens_details.cache_creation_tokens',
        metadata ->> '$.usage_object.cache_creation_input_tokens'
    )) as cache_creation_tokens,
    as_count(metadata ->> '$.usage_object.completion_tokens_details.reasoning_tokens')
        as reasoning_tokens,
    as_money(coalesce(response_cost, spend)) as response_cost_usd,

    cast(as_time("startTime") as date) as event_date,
    concat_ws('; ',
        missing(coalesce(given(id), given(request_id)), 'id or request_id'),
        missing("startTime", 'startTime'),
        missing(model, 'model'),
        bad_text(coalesce(given(id), given(request_id)), 'id or request_id'),
        bad_text(model, 'model'),
        bad_time("startTime", 'startTime'),
        bad_time("completionStartTime", 'completionStartTime'),
        bad_time("endTime", 'endTime'),
        bad_count(prompt_tokens, 'prompt_tokens'),
        bad_count(completion_tokens, 'completion_tokens'),
        bad_count(coalesce(
            metadata ->> '$.usage_object.prompt_tokens_details.cached_tokens',
            metadata ->> '$.usage_object.cache_read_input_tokens'
        ), 'cached_tokens'),
        bad_count(coalesce(
            metadata ->> '$.usage_object.prompt_tokens_details.cache_write_tokens',
            metadata ->> '$.usage_object.prompt_tokens_details.cache_creation_tokens',
            metadata ->> '$.usage_object.cache_creation_input_tokens'
        ), 'cache_creation_tokens'),
        bad_count(
            metadata ->> '$.usage_object.completion_tokens_details.reasoning_tokens',
            'reasoning_tokens'
        ),
        bad_money(coalesce(response_cost, spend), 'response_cost or spend'),
        case when as_time("endTime") < as_time("startTime") then 'endTime is before startTime' end,
        case
            when metadata is null and json_type(landed_metadata) = 'VARCHAR'
                then 'metadata is not JSON'
        end
    ) as reject_reason,
    {
        'id': id, 'request_id': request_id, 'startTime': "startTime", 'endTime': "endTime",
        'completionStartTime': "completionStartTime", 'model': model,
        'prompt_tokens': prompt_tokens, 'completion_tokens': completion_tokens,
        'response_cost': response_cost, 'spend': spend
    } as reject_text,
    landing_file,
    line_number
from unpacked
