with user_days as (

    select * from {{ ref('int_user_days') }}

),

final as (

    select
        user_id,
        -- The newest that is known.
        coalesce(
            arg_max(user_name, last_seen_at) filter (where user_name is not null), user_id
        ) as user_name,
        arg_max(team_id, last_seen_at) filter (where team_id is not null) as team_id,
        min(first_seen_at) as first_seen_at,
        max(last_seen_at) as last_seen_at
    from user_days
    group by user_id

)

select * from final
