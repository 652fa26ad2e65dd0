{# What a sum goes without, beside every sum of tokens or cost: of requests, and of sums of them. #}
{% macro count_not_told() -%}
    count(*) filter (where {{ is_unpriced() }}) as unpriced_requests,
    cast(
        coalesce(sum(total_tokens) filter (where {{ is_unpriced() }}), 0) as bigint
    ) as unpriced_tokens,
    count(*) filter (where price_status = 'no usage reported') as requests_without_usage
{%- endmacro %}

{% macro sum_not_told() -%}
    cast(sum(unpriced_requests) as bigint) as unpriced_requests,
    cast(sum(unpriced_tokens) as bigint) as unpriced_tokens,
    cast(sum(requests_without_usage) as bigint) as requests_without_usage
{%- endmacro %}

{% macro is_unpriced() -%}
    price_status in ('no known price', 'partly priced')
{%- endmacro %}

{# The cost of sums, null where all that costs anything has no known cost: free failures alone would
   make it zero. #}
{% macro sum_of_costs() -%}
    case
        when
            sum(cost_usd) <> 0
            or coalesce(sum(unpriced_requests), 0) + coalesce(sum(requests_without_usage), 0) = 0
            then sum(cost_usd)
    end
{%- endmacro %}

{# The same of one row of sums. #}
{% macro cost_of_sum() -%}
    case
        when cost_usd <> 0 or unpriced_requests + requests_without_usage = 0 then cost_usd
    end
{%- endmacro %}
