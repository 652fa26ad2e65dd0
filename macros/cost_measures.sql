{# The measures that the cost reports share, summed from int_usage_hourly. #}
{% macro cost_measures() -%}
    cast(sum(requests) as bigint) as requests,
    cast(sum(total_tokens) as bigint) as total_tokens,
    {{ sum_of_costs() }} as cost_usd,
    sum(reported_cost_usd) as reported_cost_usd,
    {{ sum_not_told() }},
    cast(
        {{ sum_of_costs() }} * 1000000 / nullif(sum(total_tokens) - sum(unpriced_tokens), 0)
        as decimal(18, 6)
    ) as cost_per_million_tokens_usd
{%- endmacro %}
