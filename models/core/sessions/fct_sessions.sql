with session_days as (

    select * from {{ ref('int_session_days') }}
    where {{ is_live('usage_date') }}

),

final as (

    select
        session_id,
        min(session_id_source) as session_id_source,
        -- Should several users share a session's id, it is the first one's.
        arg_min(user_id, (started_at, user_id)) as user_id,
        {{ session_measures() }}
    from session_days
    group by session_id

)

select * from final
