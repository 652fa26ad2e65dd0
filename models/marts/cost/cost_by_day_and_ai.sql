with usage_by_user as (

    select * from {{ ref('int_usage_by_user_and_team') }}
    where grain = 'user'

),

final as (

    select
        usage_date,
        ai_service,
        {{ cost_measures() }}
    from usage_by_user
    group by usage_date, ai_service

)

select * from final
