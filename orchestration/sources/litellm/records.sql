-- LiteLLM's StandardLoggingPayload, and rows of its table LiteLLM_SpendLogs. Both are one JSON
-- object a request; SpendLogs writes its metadata as JSON inside a string.
-- Source of the formats: litellm/types/utils.py and schema.prisma of LiteLLM 1.60 to 1.110.
with unpacked as (
    select
        landing.* rename (metadata as landed_metadata),
        case
            when json_type(metadata) = 'VARCHAR' then try_cast(metadata ->> '$' as json)
            else metadata
        end as metadata
    from landing
),

-- Taken apart once: for each field anew DuckDB would parse the whole document.
with_metadata as (
    select
        *,
        from_json(
            metadata,
            '{
                "user_api_key_user_id": "VARCHAR",
                "user_api_key_end_user_id": "VARCHAR",
                "user_api_key_alias": "VARCHAR",
                "user_api_key_team_id": "VARCHAR",
                "litellm_call_id": "VARCHAR",
                "status": "VARCHAR",
                "is_silent_experiment": "VARCHAR",
                "internal_call_origin": "VARCHAR",
                "requester_metadata": {"session_id": "VARCHAR"},
                "requester_custom_headers": {
                    "x-litellm-customer-id": "VARCHAR",
                    "x-litellm-end-user-id": "VARCHAR",
                    "x-openwebui-user-email": "VARCHAR",
                    "x-openwebui-user-id": "VARCHAR"
                },
                "error_information": {"error_code": "VARCHAR", "error_class": "VARCHAR"},
                "model_map_information": {
                    "model_map_key": "VARCHAR",
                    "model_map_value": {"key": "VARCHAR"}
                },
                "cost_breakdown": {
                    "service_tier": "VARCHAR",
                    "data_residency": "VARCHAR",
                    "vertex_location": "VARCHAR"
                },
                "usage_object": "JSON",
                "additional_usage_values": "JSON"
            }'
        ) as kept
    from unpacked
),

-- Usage stands where the version puts it: until April 2025 only the response tells it, and rows of
-- the table have what exceeds their columns in additional_usage_values.
with_usage as (
    select
        *,
        case
            when len(json_keys(kept.usage_object)) > 0 then kept.usage_object
            when len(json_keys(hidden_params.usage_object)) > 0 then hidden_params.usage_object
            else response -> '$.usage'
        end as usage_object
    from with_metadata
),

-- Likewise taken apart once. The names of OpenAI's chat, responses and realtime interfaces, and of
-- Anthropic's.
with_parts as (
    select
        *,
        list_transform(
            [usage_object, kept.additional_usage_values],
            lambda told: from_json(
                told,
                '{
                    "prompt_tokens": "VARCHAR",
                    "input_tokens": "VARCHAR",
                    "completion_tokens": "VARCHAR",
                    "output_tokens": "VARCHAR",
                    "total_tokens": "VARCHAR",
                    "cache_read_input_tokens": "VARCHAR",
                    "cache_creation_input_tokens": "VARCHAR",
                    "prompt_cache_hit_tokens": "VARCHAR",
                    "prompt_tokens_details": {
                        "cached_tokens": "VARCHAR",
                        "cached_tokens_details": {"audio_tokens": "VARCHAR"},
                        "cache_write_tokens": "VARCHAR",
                        "cache_creation_tokens": "VARCHAR",
                        "cache_creation_token_details": {
                            "ephemeral_5m_input_tokens": "VARCHAR",
                            "ephemeral_1h_input_tokens": "VARCHAR"
                        },
                        "audio_tokens": "VARCHAR",
                        "image_tokens": "VARCHAR",
                        "video_tokens": "VARCHAR",
                        "web_search_requests": "VARCHAR"
                    },
                    "input_tokens_details": {
                        "cached_tokens": "VARCHAR",
                        "cached_tokens_details": {"audio_tokens": "VARCHAR"},
                        "audio_tokens": "VARCHAR",
                        "image_tokens": "VARCHAR"
                    },
                    "completion_tokens_details": {
                        "reasoning_tokens": "VARCHAR",
                        "audio_tokens": "VARCHAR",
                        "image_tokens": "VARCHAR",
                        "video_tokens": "VARCHAR"
                    },
                    "output_tokens_details": {
                        "reasoning_tokens": "VARCHAR",
                        "audio_tokens": "VARCHAR",
                        "image_tokens": "VARCHAR"
                    },
                    "cache_creation": {
                        "ephemeral_5m_input_tokens": "VARCHAR",
                        "ephemeral_1h_input_tokens": "VARCHAR"
                    },
                    "server_tool_use": {"web_search_requests": "VARCHAR"},
                    "service_tier": "VARCHAR",
                    "speed": "VARCHAR",
                    "inference_geo": "VARCHAR"
                }'
            )
        ) as usages,
        usages[1] as usage,
        usages[2] as more_usage
    from with_usage
),

told as (
    select
        *,
        coalesce(given(id), given(request_id)) as told_id,
        coalesce(given(status), given(kept.status)) as told_status,
        coalesce(
            given(error_information.error_code),
            given(kept.error_information.error_code)
        ) as told_code,
        coalesce(
            given(error_information.error_class),
            given(kept.error_information.error_class)
        ) as told_class,
        coalesce(given(kept.user_api_key_user_id), given("user")) as told_user,
        coalesce(
            given(end_user),
            given(kept.user_api_key_end_user_id),
            given(kept.requester_custom_headers."x-litellm-customer-id"),
            given(kept.requester_custom_headers."x-litellm-end-user-id"),
            given(kept.requester_custom_headers."x-openwebui-user-email"),
            given(kept.requester_custom_headers."x-openwebui-user-id")
        ) as told_end_user,
        coalesce(given(kept.user_api_key_team_id), given(team_id)) as told_team,
        coalesce(
            given(model_map_information.model_map_key),
            given(kept.model_map_information.model_map_key)
        ) as told_key,
        -- Columns of zeros say nothing beside a usage that says more.
        coalesce(
            nullif(given(prompt_tokens), '0'),
            usage.prompt_tokens,
            usage.input_tokens,
            given(prompt_tokens)
        ) as told_input,
        coalesce(
            nullif(given(completion_tokens), '0'),
            usage.completion_tokens,
            usage.output_tokens,
            given(completion_tokens)
        ) as told_output,
        coalesce(
            usage.prompt_tokens_details.cached_tokens,
            usage.input_tokens_details.cached_tokens,
            usage.cache_read_input_tokens,
            usage.prompt_cache_hit_tokens,
            more_usage.prompt_tokens_details.cached_tokens,
            more_usage.cache_read_input_tokens
        ) as told_cached,
        -- LiteLLM 1.77 writes the tokens that were read from the cache into the details of those
        -- that were written to it.
        coalesce(
            usage.cache_creation_input_tokens,
            usage.prompt_tokens_details.cache_write_tokens,
            usage.prompt_tokens_details.cache_creation_tokens,
            more_usage.cache_creation_input_tokens
        ) as told_created,
        coalesce(
            usage.completion_tokens_details.reasoning_tokens,
            usage.output_tokens_details.reasoning_tokens,
            more_usage.completion_tokens_details.reasoning_tokens
        ) as told_reasoning,
        coalesce(
            usage.cache_creation.ephemeral_5m_input_tokens,
            usage.prompt_tokens_details.cache_creation_token_details.ephemeral_5m_input_tokens,
            more_usage.cache_creation.ephemeral_5m_input_tokens,
            more_usage.prompt_tokens_details.cache_creation_token_details.ephemeral_5m_input_tokens
        ) as told_written_5m,
        coalesce(
            usage.cache_creation.ephemeral_1h_input_tokens,
            usage.prompt_tokens_details.cache_creation_token_details.ephemeral_1h_input_tokens,
            more_usage.cache_creation.ephemeral_1h_input_tokens,
            more_usage.prompt_tokens_details.cache_creation_token_details.ephemeral_1h_input_tokens
        ) as told_written_1h,
        coalesce(
            usage.prompt_tokens_details.audio_tokens,
            usage.input_tokens_details.audio_tokens,
            more_usage.prompt_tokens_details.audio_tokens
        ) as told_input_audio,
        coalesce(
            usage.prompt_tokens_details.cached_tokens_details.audio_tokens,
            usage.input_tokens_details.cached_tokens_details.audio_tokens
        ) as told_cached_audio,
        coalesce(
            usage.prompt_tokens_details.image_tokens,
            usage.input_tokens_details.image_tokens,
            more_usage.prompt_tokens_details.image_tokens
        ) as told_input_image,
        usage.prompt_tokens_details.video_tokens as told_input_video,
        coalesce(
            usage.completion_tokens_details.audio_tokens,
            usage.output_tokens_details.audio_tokens,
            more_usage.completion_tokens_details.audio_tokens
        ) as told_output_audio,
        coalesce(
            usage.completion_tokens_details.image_tokens,
            usage.output_tokens_details.image_tokens,
            more_usage.completion_tokens_details.image_tokens
        ) as told_output_image,
        usage.completion_tokens_details.video_tokens as told_output_video,
        coalesce(
            usage.server_tool_use.web_search_requests,
            usage.prompt_tokens_details.web_search_requests,
            more_usage.server_tool_use.web_search_requests
        ) as told_searches,
        coalesce(
            case when usage.speed = 'fast' then 'fast' end,
            given(usage.service_tier)
        ) as served_tier,
        coalesce(
            given(cost_breakdown.service_tier),
            given(kept.cost_breakdown.service_tier)
        ) as charged_tier,
        coalesce(
            usage.inference_geo,
            cost_breakdown.data_residency,
            kept.cost_breakdown.data_residency,
            cost_breakdown.vertex_location,
            kept.cost_breakdown.vertex_location
        ) as told_region,
        coalesce(response_cost, spend, cost_breakdown.total_cost) as told_cost
    from with_parts
),

named as (
    select
        *,
        case
            -- As LiteLLM has it in its table: some clients send the prompt there.
            when
                told_status = 'failure'
                and (length(model) > 256 or regexp_matches(trim(model), '\s'))
                then 'unknown-model'
            else given(model)
        end as told_model,
        case
            -- Some clients send their key there.
            when starts_with(told_end_user, 'sk-') then null
            -- Claude Code sends account, device and session in one.
            when regexp_matches(told_end_user, '^user_.+_account_.*_session_')
                then coalesce(
                    nullif(regexp_extract(told_end_user, '_account_(.*?)_session_', 1), ''),
                    regexp_extract(told_end_user, '^(user_.+?)_account_', 1)
                )
            when starts_with(told_end_user, '{') and json_valid(told_end_user)
                then coalesce(
                    given(told_end_user ->> '$.account_uuid'),
                    given(told_end_user ->> '$.device_id'),
                    told_end_user
                )
            else told_end_user
        end as told_person
    from told
)

select
    case when given(id) is null then 'spend_logs' else 'standard_logging_payload' end
        as record_format,
    told_id as request_id,
    coalesce(given(litellm_call_id), given(kept.litellm_call_id)) as litellm_call_id,
    as_time("startTime") as started_at,
    as_time("completionStartTime") as completion_started_at,
    as_time("endTime") as ended_at,
    as_time(updated_at) as updated_at,
    -- Both are told of each row, and by clocks that may be a little apart.
    coalesce(
        as_time(updated_at) > as_time(created_at) + interval 1 second, updated_at is not null
    ) as is_settled,
    as_flag(cost_finalized) as is_cost_final,
    word(call_type) as call_type,
    word(told_status) as status,
    word(cache_hit) as cache_hit,
    word(told_code) as error_code,
    word(told_class) as error_class,
    given(custom_llm_provider) as custom_llm_provider,
    told_model as model,
    given(model_group) as model_group,
    told_key as model_map_key,
    coalesce(
        given(model_map_information.model_map_value.key),
        given(kept.model_map_information.model_map_value.key)
    ) is not null as is_model_mapped,
    given(session_id) as session_id,
    given(kept.requester_metadata.session_id) as requester_session_id,
    told_user as user_id,
    told_person as end_user,
    given(kept.user_api_key_alias) as key_alias,
    told_team as team_id,
    coalesce(kept.is_silent_experiment = 'true', false) as is_silent_experiment,
    word(kept.internal_call_origin) as internal_call_origin,
    coalesce(
        usage.total_tokens,
        usage.prompt_tokens,
        usage.input_tokens
    ) is not null as has_usage_object,
    coalesce(json_type(kept.usage_object) = 'OBJECT', false) as has_usage_field,
    as_count(told_input) as prompt_tokens,
    as_count(told_output) as completion_tokens,
    as_count(
        coalesce(nullif(given(total_tokens), '0'), usage.total_tokens, total_tokens)
    ) as total_tokens,
    as_count(told_cached) as cached_tokens,
    as_count(told_created) as cache_creation_tokens,
    coalesce(
        usage.prompt_tokens_details.cache_write_tokens,
        usage.prompt_tokens_details.cache_creation_tokens
    ) is not null as has_cache_creation_detail,
    as_count(told_reasoning) as reasoning_tokens,
    as_count(told_written_5m) as cache_write_5m_tokens,
    as_count(told_written_1h) as cache_write_1h_tokens,
    as_count(told_input_audio) as input_audio_tokens,
    as_count(told_cached_audio) as cache_audio_read_tokens,
    as_count(told_input_image) as input_image_tokens,
    as_count(told_input_video) as input_video_tokens,
    as_count(told_output_audio) as output_audio_tokens,
    as_count(told_output_image) as output_image_tokens,
    as_count(told_output_video) as output_video_tokens,
    as_count(told_searches) as web_searches,
    word(coalesce(
        -- What was served goes before what was asked for, which is what LiteLLM charges.
        served_tier,
        case
            when response is not null
                then list_filter(
                    json_extract_string(
                        response, ['$.service_tier', '$.usageMetadata.trafficType']
                    ),
                    lambda tier: tier is not null
                )[1]
        end,
        charged_tier,
        model_parameters.service_tier
    )) as service_tier,
    word(told_region) as region,
    as_money(told_cost) as response_cost_usd,

    cast(as_time("startTime") as date) as event_date,
    concat_ws('; ',
        missing(told_id, 'id or request_id'),
        missing("startTime", 'startTime'),
        bad_id(told_id, 'id or request_id'),
        bad_id(litellm_call_id, 'litellm_call_id'),
        bad_id(session_id, 'session_id'),
        bad_id(kept.requester_metadata.session_id, 'session_id'),
        bad_id(told_user, 'user'),
        bad_id(told_person, 'end_user'),
        bad_id(told_team, 'team_id'),
        bad_name(kept.user_api_key_alias, 'user_api_key_alias'),
        bad_name(told_model, 'model'),
        bad_name(model_group, 'model_group'),
        bad_name(told_key, 'model_map_key'),
        bad_name(custom_llm_provider, 'custom_llm_provider'),
        bad_time("startTime", 'startTime'),
        bad_time("completionStartTime", 'completionStartTime'),
        bad_time("endTime", 'endTime'),
        bad_time(updated_at, 'updated_at'),
        bad_flag(cost_finalized, 'cost_finalized'),
        bad_count(told_input, 'prompt_tokens'),
        bad_count(told_output, 'completion_tokens'),
        bad_count(coalesce(total_tokens, usage.total_tokens), 'total_tokens'),
        bad_count(told_cached, 'cached_tokens'),
        bad_count(told_created, 'cache_creation_tokens'),
        bad_count(told_reasoning, 'reasoning_tokens'),
        -- Few tell them.
        case
            when
                coalesce(
                    told_written_5m, told_written_1h, told_input_audio, told_cached_audio,
                    told_input_image, told_input_video, told_output_audio, told_output_image,
                    told_output_video, told_searches
                ) is not null
                then nullif(concat_ws('; ',
                    bad_count(told_written_5m, 'ephemeral_5m_input_tokens'),
                    bad_count(told_written_1h, 'ephemeral_1h_input_tokens'),
                    bad_count(told_input_audio, 'audio_tokens of the prompt'),
                    bad_count(told_cached_audio, 'audio_tokens of what was cached'),
                    bad_count(told_input_image, 'image_tokens of the prompt'),
                    bad_count(told_input_video, 'video_tokens of the prompt'),
                    bad_count(told_output_audio, 'audio_tokens of the completion'),
                    bad_count(told_output_image, 'image_tokens of the completion'),
                    bad_count(told_output_video, 'video_tokens of the completion'),
                    bad_count(told_searches, 'web_search_requests')
                ), '')
        end,
        bad_money(told_cost, 'response_cost or spend'),
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
from named
