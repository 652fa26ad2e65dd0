{{ config(materialized='incremental') }}
-- depends_on: {{ ref('int_sessions_version_by_day') }}

with session_days as (

    {{ session_days_to_add_up() }}

),

added_up as (

    select
        session_number,
        user_id,
        {{ session_measures() }}
    from session_days
    group by session_number, user_id

),

final as (

    {{ sessions_with_version() }}

)

select * from final
