with usage_by_team as (

    select * from {{ ref('int_usage_by_user_and_team') }}
    where grain = 'team'

),

final as (

    select
        usage_date,
        team_id,
        {{ cost_measures() }}
    from usage_by_team
    group by usage_date, team_id

)

select * from final
