{{ config(materialized='incremental') }}

with requests as (

    {{ requests_to_add_up() }}

),

final as (

    select
        usage_date,
        requests_version,
        ai_service,
        {{ known_user('requests.user_id') }} as user_id,
        {{ known_team('requests.team_id') }} as team_id,
        {{ log_bucket('response_time_ms') }} as bucket,
        count(*) as responses
    from requests
    where status = 'success' and response_time_ms is not null
    group by
        usage_date, requests_version, ai_service, {{ known_user('requests.user_id') }},
        {{ known_team('requests.team_id') }}, bucket
    {{ and_archived(user_columns=['user_id']) }}

)

select * from final
