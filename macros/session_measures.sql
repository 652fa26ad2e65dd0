{# A session, or the part of it with one AI or by one user, as the sum of its days. #}
{% macro session_measures() -%}
    min(usage_date) as usage_date,
    min(started_at) as started_at,
    max(ended_at) as ended_at,
    cast(date_diff('microsecond', min(started_at), max(ended_at)) * 0.000001 as decimal(18, 6))
        as session_length_s,
    len(list_distinct(flatten(list(prompts)))) as prompts,
    cast(sum(requests) as bigint) as requests,
    cast(sum(responses) as bigint) as responses,
    cast(sum(total_tokens) as bigint) as total_tokens,
    {{ sum_of_costs() }} as cost_usd,
    {{ sum_not_told() }}
{%- endmacro %}
