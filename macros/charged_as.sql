{# What more it would have cost, in USD, had a meter's tokens been charged as another's: or not at all.
   Of columns of int_price_comparisons and dim_prices; nothing where one of the two has no price. #}
{% macro charged_as(meter, other=none) -%}
    coalesce(
        {{ meter }} * (
            {{ other ~ '_usd_per_million_tokens' if other else 0 }}
            - {{ meter }}_usd_per_million_tokens
        ) * 0.000001,
        0
    )
{%- endmacro %}
