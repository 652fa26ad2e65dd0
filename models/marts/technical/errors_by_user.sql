{{ config(materialized='view') }}

with failures as (

    select * from {{ ref('int_failures_daily') }}

),

final as (

    select
        usage_date,
        ai_service,
        error_type,
        user_id,
        team_id,
        failed_requests,
        first_failed_at,
        last_failed_at
    from failures

)

select * from final
