-- A table, since only a build knows the key by which users are hidden.
with teams as (

    select * from {{ ref('teams') }}

),

final as (

    select
        {{ hidden_user('user_id') }} as user_id,
        team_id,
        coalesce(valid_from, date '0001-01-01') as valid_from,
        coalesce(valid_to, date '9999-12-31') as valid_to
    from teams

)

select * from final
