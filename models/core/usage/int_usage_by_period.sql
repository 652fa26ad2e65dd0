with session_days as (

    select * from {{ ref('int_session_days') }}

),

usage_by_user as (

    select * from {{ ref('int_usage_by_user_and_team') }}
    where grain = 'user'

),

days as (

    select distinct usage_date from usage_by_user

),

-- The week and the month that a day belongs to.
period_days as (

    {% for period in ['week', 'month'] %}
        select
            usage_date,
            '{{ period }}' as period_type,
            cast(date_trunc('{{ period }}', usage_date) as date) as period_start,
            cast(date_trunc('{{ period }}', usage_date) + interval '1 {{ period }}' as date)
                as next_period_start
        from days
        {{ 'union all' if not loop.last }}
    {% endfor %}

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
        period_days.period_type,
        period_days.period_start,
        prompt_days.ai_service,
        count(distinct prompt_days.prompt) as prompts
    from prompt_days
    inner join period_days on prompt_days.usage_date = period_days.usage_date
    group by period_days.period_type, period_days.period_start, prompt_days.ai_service

),

usage_by_period as (

    select
        period_days.period_type,
        period_days.period_start,
        period_days.next_period_start,
        usage_by_user.ai_service,
        cast(sum(usage_by_user.requests) as bigint) as requests,
        count(distinct usage_by_user.user_id) filter (
            where {{ is_person('usage_by_user.user_id') }}
        ) as active_users,
        cast(sum(usage_by_user.total_tokens) as bigint) as total_tokens,
        {{ sum_of_costs() }} as cost_usd,
        {{ sum_not_told() }},
        sum(usage_by_user.total_response_time_ms) as total_response_time_ms,
        cast(sum(usage_by_user.timed_responses) as bigint) as timed_responses
    from usage_by_user
    inner join period_days on usage_by_user.usage_date = period_days.usage_date
    group by
        period_days.period_type, period_days.period_start, period_days.next_period_start,
        usage_by_user.ai_service

),

final as (

    select
        usage_by_period.*,
        prompts.prompts,
        usage_by_period.period_start >= (select min(usage_date) from days)
        and usage_by_period.next_period_start <= (select max(usage_date) + 1 from days)
            as is_complete
    from usage_by_period
    inner join prompts using (period_type, period_start, ai_service)

)

select * from final
