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

measured as (

    select
        usage_date,
        requests_version,
        ai_service,
        user_id,
        team_id,
        {%- for measure in [
            'requests', 'responses', 'failed_requests', 'input_tokens', 'output_tokens',
            'total_tokens', 'timed_responses', 'response_output_tokens',
            'responses_with_output_tokens', 'timed_output_tokens', 'timed_time_to_first_token_ms'
        ] %}
            cast(sum({{ measure }}) as bigint) as {{ measure }},
        {%- endfor %}
        {%- for measure in [
            'total_response_time_ms', 'output_time_ms', 'total_time_to_first_token_ms',
            'cost_usd', 'reported_cost_usd'
        ] %}
            sum({{ measure }}) as {{ measure }},
        {%- endfor %}
        {{ sum_not_told() }},
        case when grouping(ai_service) = 0 then 'user' else 'team' end as grain
    from usage_hourly
    group by grouping sets (
        (usage_date, requests_version, ai_service, user_id, team_id),
        (usage_date, requests_version, team_id)
    )

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
