with usage_by_ai_hourly as (

    select * from {{ ref('int_usage_by_ai_hourly') }}

),

final as (

    select
        usage_hour,
        ai_service,
        requests,
        failed_requests,
        prompts
    from usage_by_ai_hourly

)

select * from final
