with usage_by_period as (

    select * from {{ ref('int_usage_by_period') }}

),

days as (

    select
        min(usage_date) as first_day,
        max(usage_date) as last_day
    from {{ ref('int_requests_version_by_day') }}

),

measured as (

    select
        period_type,
        period_start,
        cast(
            period_start
            + case period_type when 'week' then interval '1 week' else interval '1 month' end
            as date
        ) as next_period_start,
        ai_service,
        period_start >= days.first_day and next_period_start <= days.last_day + 1 as is_complete,
        prompts,
        requests,
        active_users,
        total_tokens,
        cost_usd,
        unpriced_requests,
        unpriced_tokens,
        requests_without_usage,
        total_response_time_ms / nullif(timed_responses, 0) as avg_response_time_ms
    from usage_by_period
    cross join days

),

final as (

    select
        measured.* exclude (next_period_start),
        {{ growth('prompts') }},
        {{ growth('requests') }},
        {{ growth('active_users') }},
        {{ growth('total_tokens') }},
        {{ growth('cost_usd') }},
        {{ growth('avg_response_time_ms') }}
    from measured
    -- Growth between whole periods only: half a month is no collapse.
    left join measured as period_before
        on
            measured.period_type = period_before.period_type
            and measured.ai_service = period_before.ai_service
            and measured.is_complete
            and period_before.is_complete
            and measured.period_start = period_before.next_period_start

)

select * from final
