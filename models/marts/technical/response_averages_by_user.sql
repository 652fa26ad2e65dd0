with usage_daily as (

    select * from {{ ref('int_usage_daily') }}
    where grain = 'user'

),

final as (

    select
        usage_date,
        user_id,
        {{ response_averages() }}
    from usage_daily

)

select * from final
