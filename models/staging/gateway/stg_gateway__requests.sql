with source as (

    select * from {{ source('raw', 'gateway') }}

),

renamed as (

    select
        -- ids
        request_id as call_id,
        'gateway' as source,
        'gateway' as teller,
        -- An answer from the gateway's cache bears the id of the answer that was cached.
        list_filter(
            [response_id, request_id],
            lambda id: not is_cache_hit and {{ is_an_id('id') }}
        ) as response_ids,
        case when {{ is_an_id('response_id') }} then response_id end as response_id,
        cast(null as varchar) as trace_id,
        coalesce(prompt_id, request_id) as prompt_id,
        session_id as reported_session_id,
        false as is_session_id_doubtful,

        -- who
        user_id as owner_id,
        cast(null as varchar) as key_alias,
        end_user_id,
        user_name,
        team_id,
        cast(null as varchar) as not_by_a_person,

        -- text
        provider,
        model,
        cast(null as varchar) as requested_model,
        cast(null as varchar) as operation,
        cast(null as varchar) as left_out_as,
        status,
        case when status = 'failure' then error_type end as error_type,
        'within' as cache_tokens_are,
        'within' as reasoning_tokens_are,
        service_tier,
        region,

        -- numbers
        input_tokens,
        cache_read_tokens,
        cache_write_tokens,
        output_tokens,
        reasoning_tokens,
        {%- for meter in finer_meters() %}
            {{ meter.name }}_tokens,
        {%- endfor %}
        web_searches,
        cast(null as bigint) as total_tokens,
        cast(null as bigint) as tokens_only_in_parents,
        cost_usd as reported_cost_usd,

        -- booleans
        is_cache_hit,
        false as is_client_view,
        coalesce(is_sum_of_calls, false) as is_sum_of_calls,
        cast(null as boolean) as is_final,

        -- times
        requested_at,
        requested_at + to_microseconds(cast(time_to_first_token_ms * 1000 as bigint))
            as first_token_at,
        requested_at + to_microseconds(cast(response_time_ms * 1000 as bigint)) as completed_at,

        -- delivery
        updated_at,
        landed_at,
        landing_file,
        event_date
    from source

)

select * from renamed
