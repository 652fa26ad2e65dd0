{# Milliseconds with three decimals: exact, so that sums do not depend on the order of addition. #}
{% macro milliseconds_between(earlier, later) -%}
    cast(date_diff('microsecond', {{ earlier }}, {{ later }}) * 0.001 as decimal(18, 3))
{%- endmacro %}
