with usage_by_ai_hourly as (

    select * from {{ ref('int_usage_by_ai_hourly') }}

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
        cost_usd,
        unpriced_requests,
        unpriced_tokens,
        requests_without_usage
    from usage_by_ai_hourly

)

select * from final
