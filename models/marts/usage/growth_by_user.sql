with days_by_user as (

    select * from {{ ref('int_usage_by_user_and_team') }}
    where grain = 'user'

),

usage_by_period as (

    {% for period in ['week', 'month'] %}
        select
            '{{ period }}' as period_type,
            cast(date_trunc('{{ period }}', usage_date) as date) as period_start,
            user_id,
            cast(sum(total_tokens) as bigint) as total_tokens,
            cast(sum(requests) as bigint) as requests,
            {{ sum_of_costs() }} as cost_usd,
            cast(case when {{ is_person('user_id') }} then 1 else 0 end as bigint) as active_users,
            {{ sum_not_told() }}
        from days_by_user
        group by period_start, user_id
        {{ 'union all' if not loop.last }}
    {% endfor %}

),

{{ growth_by('user_id', days=ref('int_usage_hourly')) }}

select * from final
