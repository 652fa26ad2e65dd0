with usage_daily as (

    select * from {{ ref('int_usage_daily') }}
    where grain = 'ai_service'

),

final as (

    select
        usage_date,
        ai_service,
        {{ response_averages() }}
    from usage_daily

)

select * from final
