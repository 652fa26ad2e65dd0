with session_days as (

    select * from {{ ref('int_session_days') }}

),

usage_hourly as (

    select * from {{ ref('int_usage_hourly') }}

),

days as (

    select
        min(usage_date) as first_day,
        max(usage_date) as last_day
    from usage_hourly

),

periods (period_type) as (

    values ('week'), ('month')

),

prompt_days as (

    select
        usage_date,
        ai_service,
        unnest(prompts) as prompt
    from session_days

),

-- A prompt that takes longer than a period counts in each.
prompts as (

    select
        periods.period_type,
        cast(date_trunc(periods.period_type, prompt_days.usage_date) as date) as period_start,
        prompt_days.ai_service,
        count(distinct prompt_days.prompt) as prompts
    from prompt_days
    cross join periods
    group by all

),

usage_by_period as (

    select
        periods.period_type,
        cast(date_trunc(periods.period_type, usage_hourly.usage_date) as date) as period_start,
        usage_hourly.ai_service,
        cast(sum(usage_hourly.requests) as bigint) as requests,
        count(distinct usage_hourly.user_id) filter (usage_hourly.requests_without_user = 0)
            as active_users,
        cast(sum(usage_hourly.total_tokens) as bigint) as total_tokens,
        sum(usage_hourly.cost_usd) as cost_usd,
        sum(usage_hourly.total_response_time_ms) as total_response_time_ms,
        cast(sum(usage_hourly.timed_responses) as bigint) as timed_responses
    from usage_hourly
    cross join periods
    group by all

),

final as (

    select
        usage_by_period.*,
        prompts.prompts,
        usage_by_period.period_start >= days.first_day
        and case
            when usage_by_period.period_type = 'week'
                then usage_by_period.period_start + interval 1 week
            else usage_by_period.period_start + interval 1 month
        end <= days.last_day + interval 1 day as is_complete
    from usage_by_period
    inner join prompts using (period_type, period_start, ai_service)
    cross join days

)

select * from final
