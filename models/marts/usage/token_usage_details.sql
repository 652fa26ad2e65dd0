with usage_hourly as (

    select * from {{ ref('int_usage_hourly') }}

),

daily as (

    select
        usage_date,
        user_id,
        ai_service,
        model,
        cast(sum(input_uncached_tokens) as bigint) as input_uncached,
        cast(sum(cache_read_tokens) as bigint) as cache_read,
        cast(sum(cache_write_tokens) as bigint) as cache_write,
        cast(sum(output_tokens_without_reasoning) as bigint) as output,
        cast(sum(reasoning_tokens) as bigint) as reasoning
    from usage_hourly
    group by usage_date, user_id, ai_service, model

),

final as (

    unpivot daily
    on input_uncached, cache_read, cache_write, output, reasoning
    into name token_type value tokens

)

select * from final
where tokens > 0
