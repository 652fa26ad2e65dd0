{{ config(materialized='incremental') }}
-- depends_on: {{ ref('int_sessions_version_by_day') }}

with session_days as (

    {{ session_days_to_add_up() }}

),

added_up as (

    select
        session_number,
        ai_service,
        -- Should several users or teams share it, it is the first one's.
        arg_min(user_id, (started_at, user_id, team_id)) as user_id,
        arg_min(team_id, (started_at, user_id, team_id)) as team_id,
        {{ session_measures() }}
    from session_days
    group by session_number, ai_service

),

final as (

    {{ sessions_with_version() }}

)

select * from final
