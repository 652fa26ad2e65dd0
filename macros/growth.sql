{# Column <measure>_growth: the growth on the period before as a share of it, 0.1 is 10 % more.
   Null where there was nothing before. #}
{% macro growth(measure) -%}
    cast(measured.{{ measure }} as double)
    / nullif(cast(period_before.{{ measure }} as double), 0) - 1 as {{ measure }}_growth
{%- endmacro %}
