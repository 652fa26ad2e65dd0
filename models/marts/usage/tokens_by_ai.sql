with usage_hourly as (

    select * from {{ ref('int_usage_hourly') }}

),

by_ai as (

    select
        ai_service,
        cast(sum(input_tokens) as bigint) as input_tokens,
        cast(sum(output_tokens) as bigint) as output_tokens,
        cast(sum(total_tokens) as bigint) as total_tokens,
        cast(sum(requests) as bigint) as requests,
        sum(cost_usd) as cost_usd,
        cast(sum(unpriced_tokens) as bigint) as unpriced_tokens
    from usage_hourly
    group by ai_service

),

final as (

    select
        *,
        total_tokens / nullif(sum(total_tokens) over (), 0) as share_of_tokens
    from by_ai

)

select * from final
