{{ config(materialized='view') }}

with usage_by_user_hourly as (

    select * from {{ ref('int_usage_by_user_hourly') }}

),

final as (

    select
        usage_date,
        hour(usage_hour) as hour_of_day,
        isodow(usage_date) as weekday,
        user_id,
        prompts,
        requests,
        total_tokens,
        cost_usd,
        unpriced_requests,
        unpriced_tokens,
        requests_without_usage
    from usage_by_user_hourly

)

select * from final
