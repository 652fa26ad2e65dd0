with usage_hourly as (

    select * from {{ ref('int_usage_hourly') }}

),

final as (

    select
        usage_date,
        ai_service,
        user_id,
        {{ cost_measures() }}
    from usage_hourly
    group by usage_date, ai_service, user_id

)

select * from final
