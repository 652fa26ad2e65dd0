{{ config(materialized='incremental') }}

with requests as (

    {{ requests_to_add_up() }}

),

final as (

    select
        usage_date,
        requests_version,
        ai_service,
        error_type,
        {{ known_user('requests.user_id') }} as user_id,
        {{ known_team('requests.team_id') }} as team_id,
        count(*) as failed_requests,
        min(requested_at) as first_failed_at,
        max(requested_at) as last_failed_at
    from requests
    where status = 'failure'
    group by
        usage_date, requests_version, ai_service, error_type,
        {{ known_user('requests.user_id') }}, {{ known_team('requests.team_id') }}
    {{ and_archived(user_columns=['user_id']) }}

)

select * from final
