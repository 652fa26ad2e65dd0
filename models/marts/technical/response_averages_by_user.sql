with usage_daily as (

    select * from {{ ref('int_usage_daily') }}
    where not is_by_ai_service

),

final as (

    select
        usage_date,
        user_id,
        {{ response_averages() }}
    from usage_daily

)

select * from final
