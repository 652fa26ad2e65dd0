with usage_hourly as (

    select * from {{ ref('int_usage_hourly') }}

),

by_type as (

    unpivot usage_hourly
    on
    input_uncached_tokens as input_uncached,
    cache_read_tokens as cache_read,
    cache_write_tokens as cache_write,
    output_tokens_without_reasoning as output,
    reasoning_tokens as reasoning
    into name token_type value tokens

),

final as (

    select
        usage_date,
        user_id,
        ai_service,
        model,
        token_type,
        cast(sum(tokens) as bigint) as tokens
    from by_type
    group by usage_date, user_id, ai_service, model, token_type
    having sum(tokens) > 0

)

select * from final
