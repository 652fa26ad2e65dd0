with source as (

    select * from {{ source('raw', 'litellm') }}

),

flagged as (

    select
        *,
        lower(coalesce(cache_hit, '')) = 'true' as is_cache_hit,
        -- SpendLogs may say 'success' of a failure; but whatever answered reported its usage.
        coalesce(status, '') = 'failure'
        or (record_format = 'spend_logs' and not has_usage_object) as is_failure
    from source

),

renamed as (

    select
        -- ids
        case
            -- All failed attempts of a call bear the call's id, and each is a request of its own.
            -- LiteLLM's table cuts times to milliseconds, its payloads do not.
            when is_failure then request_id || '/' || epoch_ms(started_at)
            -- An answer from LiteLLM's cache bears the id of the answer that was cached, and the
            -- time of logging, which differs between LiteLLM's own records of one request.
            when is_cache_hit then coalesce(litellm_call_id, request_id)
            else request_id
        end as request_id,
        'litellm' as source,
        coalesce(litellm_call_id, request_id) as prompt_id,
        case
            when record_format = 'spend_logs' then session_id
            else coalesce(requester_session_id, session_id)
        end as reported_session_id,
        -- SpendLogs fill in a random id where the caller gave none.
        record_format = 'spend_logs' as is_session_id_doubtful,
        coalesce(user_id, end_user) as user_id,
        cast(null as varchar) as user_name,
        team_id,

        -- text
        {{ provider_name('custom_llm_provider') }} as provider,
        case
            when starts_with(model, custom_llm_provider || '/')
                then substr(model, length(custom_llm_provider) + 2)
            else model
        end as model,
        case when is_failure then 'failure' else 'success' end as status,
        case when is_failure then coalesce(error_class, error_code) end as error_type,

        -- numbers
        prompt_tokens as input_tokens,
        cached_tokens as cache_read_tokens,
        cache_creation_tokens as cache_write_tokens,
        completion_tokens as output_tokens,
        reasoning_tokens,
        response_cost_usd as reported_cost_usd,

        -- booleans
        is_cache_hit,
        -- Polls for a batch or a response that runs elsewhere are no use of an AI.
        coalesce(call_type, '') not in (
            'aretrieve_batch', 'retrieve_batch', 'aget_responses', 'get_responses'
        ) as is_request,
        false as is_client_view,

        -- times
        started_at as requested_at,
        case when not is_failure and completion_started_at < ended_at then completion_started_at end
            as first_token_at,
        ended_at as completed_at,
        landed_at,
        event_date
    from flagged

)

select * from renamed
