{# USD per million tokens; null where no token has a price. #}
{% macro cost_per_million_tokens(cost_usd, priced_tokens) -%}
    cast({{ cost_usd }} * 1000000 / nullif({{ priced_tokens }}, 0) as decimal(18, 6))
{%- endmacro %}
