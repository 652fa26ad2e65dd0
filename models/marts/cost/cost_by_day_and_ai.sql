with usage_hourly as (

    select * from {{ ref('int_usage_hourly') }}

),

daily as (

    select
        usage_date,
        ai_service,
        cast(sum(total_tokens) as bigint) as total_tokens,
        sum(cost_usd) as cost_usd,
        sum(reported_cost_usd) as reported_cost_usd,
        cast(sum(unpriced_tokens) as bigint) as unpriced_tokens
    from usage_hourly
    group by usage_date, ai_service

),

final as (

    select
        *,
        {{ cost_per_million_tokens('cost_usd', 'total_tokens - unpriced_tokens') }}
            as cost_per_million_tokens_usd
    from daily

)

select * from final
