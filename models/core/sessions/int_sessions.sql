{{ config(materialized='incremental') }}
-- depends_on: {{ ref('int_sessions_version_by_day') }}

with session_days as (

    {{ session_days_to_add_up() }}

),

added_up as (

    select
        session_id,
        min(session_id_source) as session_id_source,
        -- Should several users share a session's id, it is the first one's.
        arg_min(user_id, (started_at, user_id)) as user_id,
        {{ session_measures() }}
    from session_days
    where {{ is_live('usage_date') }}
    group by session_id

),

final as (

    {{ sessions_with_version() }}

)

select * from final
