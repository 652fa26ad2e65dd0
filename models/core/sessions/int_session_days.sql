{{ config(
    materialized='incremental',
    incremental_strategy='replace_usage_dates',
    on_schema_change='fail'
) }}

with requests as (

    select * from {{ ref('fct_requests') }}
    {% if is_incremental() %}
        where usage_date in ({{ usage_dates_to_rebuild() }})
    {% endif %}

),

versions as (

    select * from {{ ref('int_requests_version_by_day') }}

),

session_days as (

    select
        usage_date,
        session_id,
        ai_service,
        {{ known_user('user_id') }} as user_id,
        min(session_id_source) as session_id_source,
        min(requested_at) as started_at,
        max(coalesce(completed_at, requested_at)) as ended_at,
        -- Which prompts, since one that goes on past midnight must not count twice in a session.
        list_distinct(list(md5_number_lower(prompt_id))) as prompts,
        count(*) as requests,
        count(*) filter (status = 'success') as responses,
        cast(sum(total_tokens) as bigint) as total_tokens,
        sum(cost_usd) as cost_usd
    from requests
    group by usage_date, session_id, ai_service, user_id

),

final as (

    select
        session_days.*,
        -- By which a session is known whose id is archived no more.
        md5_number_lower(session_days.session_id) as session_number,
        versions.requests_version
    from session_days
    inner join versions on session_days.usage_date = versions.usage_date
    {{ and_archived(user_columns=['user_id']) }}

)

select * from final
