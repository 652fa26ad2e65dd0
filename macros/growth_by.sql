{# Who or what grew, of a relation `usage_by_period` (period_type, period_start, the column, and the
   measures below): each measure in a period, in the one before, the difference, and what part it is
   of the differences of all. Whole periods only are compared: half a month is no collapse. Who was
   there in one of the two alone has 0 in the other. `days` has a row for each day of use. #}
{% macro growth_by(column, days) -%}
    {%- set measures = ['total_tokens', 'requests', 'cost_usd', 'active_users'] -%}
    {%- set not_told = ['unpriced_requests', 'unpriced_tokens', 'requests_without_usage'] -%}
    days as (

        select
            min(usage_date) as first_day,
            max(usage_date) as last_day
        from {{ days }}

    ),

    starts as (

        {% for period in ['week', 'month'] %}
            select
                '{{ period }}' as period_type,
                cast(started_at as date) as period_start,
                cast(started_at + interval '1 {{ period }}' as date) as next_period_start,
                cast(started_at - interval '1 {{ period }}' as date) as period_before_start
            from (
                select unnest(generate_series(
                    date_trunc('{{ period }}', cast(first_day as timestamp)),
                    cast(last_day as timestamp),
                    interval '1 {{ period }}'
                )) as started_at
                from days
            ) as started
            {{ 'union all' if not loop.last }}
        {% endfor %}

    ),

    periods as (

        select
            starts.*,
            period_start >= first_day and next_period_start <= last_day + 1 as is_complete,
            period_before_start >= first_day and next_period_start <= last_day + 1 as is_comparable
        from starts
        cross join days

    ),

    period_before as (

        select
            periods.period_type,
            periods.period_start,
            usage_by_period.* exclude (period_type, period_start)
        from usage_by_period
        inner join periods
            on
                usage_by_period.period_type = periods.period_type
                and usage_by_period.period_start = periods.period_before_start
                and periods.is_comparable

    ),

    compared as (

        select
            periods.period_type,
            periods.period_start,
            coalesce(now.{{ column }}, before.{{ column }}) as {{ column }},
            periods.is_complete,
            {%- for measure in measures + not_told %}
                case when now.{{ column }} is null then 0 else now.{{ measure }} end as {{ measure }},
            {%- endfor %}
            {%- for measure in measures %}
                case
                    when before.{{ column }} is not null then before.{{ measure }}
                    when periods.is_comparable then 0
                end as {{ measure }}_before
                {{- ',' if not loop.last }}
            {%- endfor %}
        from usage_by_period as now
        full join period_before as before
            on
                now.period_type = before.period_type
                and now.period_start = before.period_start
                and now.{{ column }} = before.{{ column }}
        inner join periods
            on
                coalesce(now.period_type, before.period_type) = periods.period_type
                and coalesce(now.period_start, before.period_start) = periods.period_start

    ),

    final as (

        select
            period_type,
            period_start,
            {{ column }},
            is_complete,
            {%- for measure in measures %}
                {{ measure }},
                {{ measure }}_before,
                {{ measure }} - {{ measure }}_before as {{ measure }}_difference,
                cast({{ measure }} - {{ measure }}_before as double) / nullif(
                    cast(
                        sum({{ measure }} - {{ measure }}_before)
                            over (partition by period_type, period_start)
                        as double
                    ),
                    0
                ) as {{ measure }}_share_of_difference,
            {%- endfor %}
            {{ not_told | join(', ') }}
        from compared

    )
{%- endmacro %}
