with source as (

    select * from {{ source('raw', 'gateway') }}

),

renamed as (

    select
        -- ids
        request_id,
        'gateway' as source,
        coalesce(prompt_id, request_id) as prompt_id,
        session_id as reported_session_id,
        false as is_session_id_doubtful,
        user_id,
        user_name,
        team_id,

        -- text
        {{ provider_name('provider') }} as provider,
        model,
        status,
        case when status = 'failure' then error_type end as error_type,

        -- numbers
        input_tokens,
        cache_read_tokens,
        cache_write_tokens,
        output_tokens,
        reasoning_tokens,
        cost_usd as reported_cost_usd,

        -- booleans
        is_cache_hit,
        true as is_request,
        false as is_client_view,

        -- times
        requested_at,
        requested_at + to_microseconds(cast(time_to_first_token_ms * 1000 as bigint))
            as first_token_at,
        requested_at + to_microseconds(cast(response_time_ms * 1000 as bigint)) as completed_at,
        landed_at,
        event_date
    from source

)

select * from renamed
