{{ config(materialized='incremental') }}

with requests as (

    {{ requests_to_add_up() }}

),

added_up as (

    select
        usage_date,
        requests_version,
        session_id,
        -- By which a session is known whose id is archived no more.
        md5_number_lower(session_id) as session_number,
        ai_service,
        {{ known_user('requests.user_id') }} as user_id,
        requests.team_id,
        min(session_id_source) as session_id_source,
        min(requested_at) as started_at,
        max(coalesce(completed_at, requested_at)) as ended_at,
        -- Which prompts, since one that goes on past midnight must not count twice in a session.
        list_distinct(list(md5_number_lower(prompt_id))) as prompts,
        count(*) as requests,
        count(*) filter (where status = 'success') as responses,
        cast(sum(total_tokens) as bigint) as total_tokens,
        sum(cost_usd) as cost_usd,
        {{ count_not_told() }}
    from requests
    group by
        usage_date, requests_version, session_id, ai_service,
        {{ known_user('requests.user_id') }}, requests.team_id
    {{ and_archived(user_columns=['user_id'], money_columns=['cost_usd']) }}

),

-- What was archived before teams were known has none.
final as (

    select * replace ({{ known_team('team_id') }} as team_id)
    from added_up

)

select * from final
