with source as (

    select * from {{ source('raw', 'litellm') }}

),

-- What was done, by LiteLLM's name of it. What is known as something is no use of an AI unless it
-- is billed: a batch, a video or an answer in the background is by the poll that finds it done.
named as (

    select
        *,
        lower(coalesce(call_type, '')) as called,
        called in (
            '', 'acompletion', 'completion', 'atext_completion', 'text_completion', 'aembedding',
            'embedding', 'aresponses', 'responses', 'anthropic_messages', 'aanthropic_messages',
            'agenerate_content', 'generate_content', 'agenerate_content_stream',
            'generate_content_stream'
        ) as tells_usage,
        case
            when tells_usage then null
            when contains(called, 'mcp_tool') then 'tool call'
            when regexp_matches(called, 'count_tokens|token_count') then 'token counting'
            when regexp_matches(called, '^a?retrieve_batch$') then 'poll of a batch'
            when regexp_matches(called, '^a?get_responses$') then 'poll of a response'
            when regexp_matches(called, '^a?video_(retrieve|status)') then 'poll of a video'
            when regexp_matches(called, '_batch(es)?$|file') then 'file or batch'
            when
                regexp_matches(
                    called,
                    '^a?(get|list|delete|cancel|retrieve|update|ingest|query)(_|$)'
                    || '|^a?(search|run_code|code_interpreter_tool)$'
                    || '|^a?video_(content|list|delete|get|create_character)'
                    || '|vector_store|fine_tuning|container|sandbox|skill|assistant|create_thread'
                    || '|add_message|client_secret|transcription_session'
                )
                then 'other'
        end as known_as,
        -- SpendLogs make no two rows of one id, so what ends an id is theirs.
        case
            when contains(request_id, '_cache_hit') or ends_with(request_id, '_cost')
                then
                    regexp_replace(
                        request_id,
                        '(_cache_hit[0-9.]*|_(batch|background|video|guardrail)_cost)$', ''
                    )
            else request_id
        end as bare_id,
        nullif(bare_id, litellm_call_id) as answer_id,
        lower(coalesce(cache_hit, '')) = 'true' or regexp_matches(request_id, '_cache_hit[0-9.]*$')
            as is_cache_hit,
        coalesce(prompt_tokens, 0) + coalesce(completion_tokens, 0) > 0 as has_tokens,
        coalesce(response_cost_usd, 0) > 0 as has_cost
    from source

),

judged as (

    select
        *,
        not case coalesce(known_as, '')
            -- Who was refused before a model was known has asked nothing of an AI.
            when '' then has_tokens or has_cost or coalesce(model, model_map_key) is not null
            when 'poll of a batch' then has_tokens or has_cost
            -- Until 1.106 polls told again what their response had told.
            when 'poll of a response'
                then
                    has_tokens
                    and (ends_with(request_id, '_background_cost') or is_cost_final is not null)
            else has_cost
        end as is_left_out,
        coalesce(status, '') = 'failure'
        -- SpendLogs may say 'success' of a failure. But whatever answers has an id or tells usage,
        -- where it is of a kind that does; and rows before April 2025 do not have the field.
        or (
            record_format = 'spend_logs'
            and not has_usage_object
            and not has_tokens
            and not has_cost
            and tells_usage
            and coalesce(bare_id = litellm_call_id, regexp_matches(bare_id, '^[0-9a-f-]{36}$'))
            and (coalesce(has_usage_field, true) or error_class is not null)
        ) as is_failure
    from named

),

counted as (

    select
        *,
        -- Where a provider tells none, LiteLLM writes zeros; of an answer they are no count.
        has_tokens or (has_usage_object and is_failure) as is_usage_told,
        not is_left_out and coalesce(known_as = 'poll of a batch', false) as is_a_batch,
        -- LiteLLM's input includes what is read from the cache and what is written to it; but from
        -- 1.64 to 1.77, which did not detail what is written, that stood beside, and longer with
        -- Bedrock, whose total then has it in addition.
        coalesce(cache_creation_tokens, 0) > 0 and (
            total_tokens = prompt_tokens + completion_tokens + cache_creation_tokens
            or coalesce(cached_tokens, 0) + cache_creation_tokens > prompt_tokens
            or (
                has_usage_object
                and not has_cache_creation_detail
                and coalesce(custom_llm_provider, '') not like 'bedrock%'
            )
        ) as are_cache_writes_beside
    from judged

),

renamed as (

    select
        -- ids
        case
            -- Each poll of what was finished tells it, as do others.
            when is_a_batch
                then bare_id || '_batch_cost'
            when not is_left_out and known_as = 'poll of a response'
                then bare_id || '_background_cost'
            when not is_left_out and known_as = 'poll of a video'
                then bare_id || '_video_cost'
            -- All failed attempts of a call bear the call's id, and each is a request of its own.
            -- LiteLLM's table cuts times to milliseconds, its payloads do not.
            when is_failure
                then coalesce(litellm_call_id, request_id) || '/' || epoch_ms(started_at)
            -- A call of several models, or of several prompts, has an answer of each, and all bear
            -- the call's id; so do the turns of a call that LiteLLM runs tools for.
            when litellm_call_id is not null
                then concat_ws('/', litellm_call_id, case when not is_cache_hit then answer_id end)
            else bare_id || '/' || epoch_ms(started_at)
        end as call_id,
        'litellm' as source,
        case when record_format = 'spend_logs' then 'litellm_table' else 'litellm_payload' end
            as teller,
        -- An answer from LiteLLM's cache bears the id of the answer that was cached. A batch is
        -- known by its own.
        case
            when
                not is_cache_hit
                and coalesce(known_as, '') <> 'poll of a batch'
                and lower(answer_id) not in ('none', 'null', 'unknown', '0')
                then answer_id
        end as response_id,
        case
            when litellm_call_id is null and response_id is null then cast([] as varchar[])
            when litellm_call_id is null then [response_id]
            when response_id is null then [litellm_call_id]
            else [response_id, litellm_call_id]
        end as response_ids,
        cast(null as varchar) as trace_id,
        -- Attempts that failed and were charged bear their number.
        regexp_replace(coalesce(litellm_call_id, request_id), '-attempt-[0-9]+$', '') as prompt_id,
        case
            when record_format = 'spend_logs' then session_id
            else coalesce(requester_session_id, session_id)
        end as reported_session_id,
        -- SpendLogs fill in a random id where the caller gave none.
        record_format = 'spend_logs' as is_session_id_doubtful,
        user_id as owner_id,
        key_alias,
        end_user as end_user_id,
        cast(null as varchar) as user_name,
        team_id,
        case
            when 'litellm-internal-health-check' in (user_id, team_id, key_alias)
                then 'health check'
            when is_silent_experiment or starts_with(internal_call_origin, 'shadow_eval')
                then 'silent experiment'
            when known_as in ('tool call', 'token counting', 'file or batch') then known_as
        end as not_by_a_person,

        -- text
        custom_llm_provider as provider,
        coalesce(
            -- What a deployment is: the model that it was configured as, or that answered. Until
            -- 1.106 it may be no more than what the caller asked for.
            case
                when is_model_mapped or model_map_key is distinct from model_group
                    then model_map_key
            end,
            nullif(model, 'unknown-model'),
            'unknown'
        ) as model,
        model_group as requested_model,
        call_type as operation,
        case when is_left_out then coalesce(call_type, 'no model') end as left_out_as,
        case when is_failure then 'failure' else 'success' end as status,
        case when is_failure then coalesce(error_class, error_code) end as error_type,
        case when is_a_batch then 'batch' else service_tier end as service_tier,
        region,

        -- numbers
        case
            when is_usage_told and are_cache_writes_beside
                then prompt_tokens + cache_creation_tokens
            when is_usage_told then prompt_tokens
        end as input_tokens,
        case when is_usage_told then cached_tokens end as cache_read_tokens,
        case when is_usage_told then cache_creation_tokens end as cache_write_tokens,
        case when is_usage_told then completion_tokens end as output_tokens,
        case when is_usage_told then reasoning_tokens end as reasoning_tokens,
        case
            when
                is_usage_told
                and are_cache_writes_beside
                and total_tokens = prompt_tokens + completion_tokens
                then total_tokens + cache_creation_tokens
            when is_usage_told then total_tokens
        end as total_tokens,
        {%- for meter in finer_meters() if meter.name != 'output_image' %}
            case when is_usage_told then {{ meter.name }}_tokens end as {{ meter.name }}_tokens,
        {%- endfor %}
        case
            when not is_usage_told then null
            -- What makes images puts out nothing else, until something finer is told.
            when contains(called, 'image_') and output_audio_tokens is null
                then coalesce(output_image_tokens, completion_tokens)
            else output_image_tokens
        end as output_image_tokens,
        web_searches,
        'within' as cache_tokens_are,
        -- xAI's stood beside the output until LiteLLM added them to it; the total tells which.
        case when custom_llm_provider = 'xai' then 'beside' else 'within' end
            as reasoning_tokens_are,
        cast(null as bigint) as tokens_only_in_parents,
        response_cost_usd as reported_cost_usd,

        -- booleans
        is_cache_hit,
        false as is_client_view,
        is_a_batch as is_sum_of_calls,
        is_cost_final as is_final,

        -- times
        started_at as requested_at,
        -- Of what came in one piece LiteLLM says that it began to come when it ended.
        case
            when completion_started_at >= started_at and completion_started_at < ended_at
                then completion_started_at
        end as first_token_at,
        ended_at as completed_at,
        case when is_settled then updated_at end as updated_at,
        landed_at,
        landing_file,
        event_date
    from counted

)

select * from renamed
