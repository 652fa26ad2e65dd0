{# Whether both the price of a request and what the gateway charged for it are known. #}
{% macro is_compared() -%}
    price_status = 'priced' and reported_cost_usd is not null
{%- endmacro %}
