{# The weeks and months, by their first days, with the version of the requests in them. #}
{% macro versions_of_periods() -%}
    select
        period_start,
        md5(string_agg(requests_version, ' ' order by usage_date)) as period_version
    from (
        select *, unnest([
            cast(date_trunc('week', usage_date) as date),
            cast(date_trunc('month', usage_date) as date)
        ]) as period_start
        from {{ ref('int_requests_version_by_day') }}
    ) as period_days
    group by period_start
{%- endmacro %}
