with usage_hourly as (

    select * from {{ ref('int_usage_hourly') }}

),

usage_by_ai_hourly as (

    select * from {{ ref('int_usage_by_ai_hourly') }}

),

cost_by_ai_hourly as (

    select
        usage_hour,
        ai_service,
        {{ sum_of_costs() }} as cost_usd,
        {{ sum_not_told() }}
    from usage_hourly
    group by usage_hour, ai_service

),

final as (

    select
        usage_date,
        hour(usage_hour) as hour_of_day,
        isodow(usage_date) as weekday,
        ai_service,
        prompts,
        requests,
        active_users,
        total_tokens,
        cost_by_ai_hourly.cost_usd,
        unpriced_requests,
        unpriced_tokens,
        requests_without_usage
    from usage_by_ai_hourly
    inner join cost_by_ai_hourly using (usage_hour, ai_service)

)

select * from final
