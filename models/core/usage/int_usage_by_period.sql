{{ config(materialized='incremental') }}

with session_days as (

    select * from {{ ref('int_session_days') }}

),

usage_by_user as (

    select * from {{ ref('int_usage_by_user_and_team') }}
    where grain = 'user'

),

versions as (

    {{ versions_of_periods() }}

),

-- The week and the month that a day belongs to.
period_days as (

    {% for period in ['week', 'month'] %}
        select
            usage_date,
            '{{ period }}' as period_type,
            cast(date_trunc('{{ period }}', usage_date) as date) as period_start
        from {{ ref('int_requests_version_by_day') }}
        {{ 'union all' if not loop.last }}
    {% endfor %}

),

periods_to_rebuild as (

    select
        period_days.*,
        versions.period_version
    from period_days
    inner join versions using (period_start)
    {% if is_incremental() %}
        where period_start in ({{ usage_dates_to_rebuild() }})
    {% endif %}

),

prompt_days as (

    select
        period_type,
        period_start,
        ai_service,
        unnest(prompts) as prompt
    from session_days
    inner join periods_to_rebuild using (usage_date)

),

-- A prompt that takes longer than a period counts in each.
prompts as (

    select
        period_type,
        period_start,
        ai_service,
        count(distinct prompt) as prompts
    from prompt_days
    group by period_type, period_start, ai_service

),

usage_by_period as (

    select
        period_type,
        period_start,
        period_version,
        ai_service,
        cast(sum(requests) as bigint) as requests,
        count(distinct user_id) filter (where {{ is_person('user_id') }}) as active_users,
        cast(sum(total_tokens) as bigint) as total_tokens,
        {{ sum_of_costs() }} as cost_usd,
        {{ sum_not_told() }},
        sum(total_response_time_ms) as total_response_time_ms,
        cast(sum(timed_responses) as bigint) as timed_responses
    from usage_by_user
    inner join periods_to_rebuild using (usage_date)
    group by period_type, period_start, period_version, ai_service

),

final as (

    select
        usage_by_period.*,
        prompts.prompts
    from usage_by_period
    inner join prompts using (period_type, period_start, ai_service)

)

select * from final
