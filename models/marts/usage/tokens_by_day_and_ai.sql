with usage_hourly as (

    select * from {{ ref('int_usage_hourly') }}

),

final as (

    select
        usage_date,
        ai_service,
        cast(sum(input_tokens) as bigint) as input_tokens,
        cast(sum(output_tokens) as bigint) as output_tokens,
        cast(sum(total_tokens) as bigint) as total_tokens,
        cast(sum(requests) as bigint) as requests,
        sum(cost_usd) as cost_usd,
        cast(sum(unpriced_tokens) as bigint) as unpriced_tokens
    from usage_hourly
    group by usage_date, ai_service

)

select * from final
