{{ config(materialized='incremental') }}

with requests as (

    {{ requests_to_add_up(of=ref('int_requests')) }}

),

teams as (

    select * from {{ ref('int_teams') }}

),

told as (

    select
        usage_date,
        requests_version,
        {{ known_user('requests.user_id') }} as user_id,
        -- The newest that is known.
        arg_max(user_name, (requested_at, request_id)) filter (where user_name is not null)
            as user_name,
        arg_max(team_id, (requested_at, request_id)) filter (where team_id is not null) as team_id,
        min(requested_at) as first_seen_at,
        max(requested_at) as last_seen_at
    from requests
    group by usage_date, requests_version, {{ known_user('requests.user_id') }}

),

final as (

    select
        told.* exclude (team_id),
        coalesce(teams.team_id, told.team_id) as team_id
    from told
    left join teams on {{ is_in_team('teams', 'told') }}
    {{ and_archived(user_columns=['user_id', 'user_name']) }}

)

select * from final
