-- Tokens, requests and cost of every table that adds up equal those of core.fct_requests, and of
-- the archive where days are past retention, to the last digit. Of the trends and of growth, which
-- hold everything by week and again by month, the weeks are added. Failures and response times may
-- be kept of fewer archived days: the days whose requests are here are added.
{% set not_told = ['unpriced_requests', 'unpriced_tokens', 'requests_without_usage'] %}
{% set cuts = {
    'usage_by_ai_service': ['requests', 'failed_requests', 'input_tokens', 'output_tokens', 'total_tokens', 'requests_without_usage'],
    'usage_by_day': ['requests', 'failed_requests', 'input_tokens', 'output_tokens', 'total_tokens', 'requests_without_usage'],
    'usage_by_team': ['requests', 'failed_requests', 'input_tokens', 'output_tokens', 'total_tokens', 'requests_without_usage'],
    'usage_by_ai_user_and_team': not_told + ['requests', 'responses', 'failed_requests', 'input_tokens', 'output_tokens', 'total_tokens', 'cost_usd', 'reported_cost_usd'],
    'growth_by_ai': not_told + ['requests', 'total_tokens', 'cost_usd'],
    'growth_by_user': not_told + ['requests', 'total_tokens', 'cost_usd'],
    'usage_by_user': ['requests', 'failed_requests', 'input_tokens', 'output_tokens', 'total_tokens', 'requests_without_usage'],
    'tokens_by_day_and_ai': not_told + ['cost_usd', 'requests', 'input_tokens', 'output_tokens', 'total_tokens'],
    'tokens_by_ai': not_told + ['cost_usd', 'requests', 'input_tokens', 'output_tokens', 'total_tokens'],
    'tokens_by_user_and_ai': not_told + ['cost_usd', 'requests', 'input_tokens', 'output_tokens', 'total_tokens'],
    'token_usage_details': ['tokens'],
    'user_prompts': ['requests', 'responses'],
    'requests_over_time': ['requests', 'failed_requests'],
    'total_prompts_by_ai': ['requests'],
    'cost_by_day_and_ai': not_told + ['requests', 'total_tokens', 'cost_usd', 'reported_cost_usd'],
    'cost_by_day_and_user': not_told + ['requests', 'total_tokens', 'cost_usd', 'reported_cost_usd'],
    'cost_by_day_ai_and_user': not_told + ['requests', 'total_tokens', 'cost_usd', 'reported_cost_usd'],
    'cost_by_team': not_told + ['requests', 'total_tokens', 'cost_usd', 'reported_cost_usd'],
    'time_of_use_by_user': not_told + ['requests', 'total_tokens', 'cost_usd'],
    'time_of_use': not_told + ['requests', 'total_tokens', 'cost_usd'],
    'long_term_trends': not_told + ['requests', 'total_tokens', 'cost_usd'],
    'response_averages_by_ai': ['responses'],
    'response_averages_by_user': ['responses'],
    'data_quality': ['requests', 'unpriced_requests', 'requests_without_usage'],
} %}
{% set by_period = ['long_term_trends', 'growth_by_ai', 'growth_by_user'] %}
{% set cuts_of_live_days = {
    'errors_by_type': ('failed_requests', 'failed_requests'),
    'errors_by_user': ('failed_requests', 'failed_requests'),
    'response_times': ('responses', 'timed_responses'),
    'response_times_by_user': ('responses', 'timed_responses'),
} %}

with live as (

    select
        count(*) as requests,
        count(*) filter (where status = 'success') as responses,
        count(*) filter (where status = 'failure') as failed_requests,
        count(response_time_ms) filter (where status = 'success') as timed_responses,
        sum(input_tokens) as input_tokens,
        sum(output_tokens) as output_tokens,
        sum(total_tokens) as total_tokens,
        {{ count_not_told() }},
        sum(cost_usd) as cost_usd,
        sum(reported_cost_usd) as reported_cost_usd
    from {{ ref('fct_requests') }}

),

requests as (

    select
        {%- for measure in [
            'requests', 'responses', 'failed_requests', 'input_tokens', 'output_tokens', 'total_tokens',
            'unpriced_requests', 'unpriced_tokens', 'requests_without_usage', 'cost_usd',
            'reported_cost_usd'
        ] %}
            sum({{ measure }}) as {{ measure }},
        {%- endfor %}
        sum(total_tokens) as tokens
    from (
        select * from live
        {{ and_archived('int_usage_hourly', money_columns=['cost_usd']) }}
    ) as live_and_archived

),

cuts as (

    {% for measure in not_told + ['requests', 'total_tokens', 'cost_usd'] %}
        select
            'fct_sessions.{{ measure }}' as cut,
            cast(sum(cut.{{ measure }}) as varchar) as total,
            cast(any_value(live.{{ measure }}) as varchar) as total_of_requests
        from {{ ref('fct_sessions') }} as cut
        cross join live
        union all
    {% endfor %}

    {% for table, (measure, of_requests) in cuts_of_live_days.items() %}
        select
            '{{ table }}.{{ measure }}' as cut,
            cast(coalesce(sum(cut.{{ measure }}), 0) as varchar) as total,
            cast(any_value(live.{{ of_requests }}) as varchar) as total_of_requests
        from live
        left join {{ ref(table) }} as cut on {{ is_live('cut.usage_date') }}
        union all
    {% endfor %}

    select
        'session_lengths_by_user.sessions' as cut,
        cast(sum(sessions) as varchar) as total,
        (
            select cast(sum(every.sessions) as varchar)
            from {{ ref('session_lengths') }} as every
        ) as total_of_requests
    from {{ ref('session_lengths_by_user') }}
    union all

    {% for table, measures in cuts.items() %}
        {% set outer = loop %}
        {% for measure in measures %}
            select
                '{{ table }}.{{ measure }}' as cut,
                cast(sum(cut.{{ measure }}) as varchar) as total,
                cast(any_value(requests.{{ measure }}) as varchar) as total_of_requests
            from {{ ref(table) }} as cut
            cross join requests
            {{ "where cut.period_type = 'week'" if table in by_period }}
            {{ 'union all' if not (loop.last and outer.last) }}
        {% endfor %}
    {% endfor %}

)

select * from cuts
where total is distinct from total_of_requests
