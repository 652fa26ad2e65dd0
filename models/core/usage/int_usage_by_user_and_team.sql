{{ config(materialized='incremental') }}
-- depends_on: {{ ref('int_requests_version_by_day') }}

-- Sums of sums, with distinct prompts and sessions at the grain of each report. Nothing here is
-- archived, since what it is made of is.
with usage_hourly as (

    select * from {{ ref('int_usage_hourly') }}
    {% if is_incremental() %}
        where usage_date in ({{ usage_dates_to_rebuild() }})
    {% endif %}

),

session_days as (

    select * from {{ ref('int_session_days') }}
    {% if is_incremental() %}
        where usage_date in ({{ usage_dates_to_rebuild() }})
    {% endif %}

),

measured_by_user as (

    select
        usage_date,
        requests_version,
        ai_service,
        user_id,
        team_id,
        {{ sums_of_usage() }},
        'user' as grain
    from usage_hourly
    group by usage_date, requests_version, ai_service, user_id, team_id

),

measured as (

    select * from measured_by_user

    union all by name

    select
        usage_date,
        requests_version,
        team_id,
        {{ sums_of_usage() }},
        'team' as grain
    from measured_by_user
    group by usage_date, requests_version, team_id

),

-- A session has one row here for each AI, user and team of a day.
counts_by_user as (

    select
        usage_date,
        requests_version,
        ai_service,
        user_id,
        team_id,
        len(list_distinct(flatten(list(prompts)))) as prompts,
        count(*) as sessions,
        cast(case when {{ is_person('user_id') }} then 1 else 0 end as bigint) as active_users
    from session_days
    group by usage_date, requests_version, ai_service, user_id, team_id

),

team_prompts as (

    select
        usage_date,
        requests_version,
        team_id,
        user_id,
        session_number,
        unnest(prompts) as prompt
    from session_days

),

counts_by_team as (

    select
        usage_date,
        requests_version,
        cast(null as varchar) as ai_service,
        cast(null as varchar) as user_id,
        team_id,
        count(distinct prompt) as prompts,
        count(distinct session_number) as sessions,
        count(distinct user_id) filter (where {{ is_person('user_id') }}) as active_users
    from team_prompts
    group by usage_date, requests_version, team_id

),

distinct_counts as (

    select * from counts_by_user
    union all
    select * from counts_by_team

),

final as (

    select
        measured.*,
        distinct_counts.prompts,
        distinct_counts.sessions,
        distinct_counts.active_users
    from measured
    -- By version, so that a day of older sessions is left out, and built by the next build.
    inner join distinct_counts
        on
            measured.usage_date = distinct_counts.usage_date
            and measured.requests_version = distinct_counts.requests_version
            and measured.team_id = distinct_counts.team_id
            and measured.ai_service is not distinct from distinct_counts.ai_service
            and measured.user_id is not distinct from distinct_counts.user_id

)

select * from final
