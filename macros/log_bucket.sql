{# Buckets on a log scale, each 5 % wider than the one before: a percentile read from them is off by
   less than 5 %. Bucket k holds values from 1.05^k up to 1.05^(k + 1); values under 1 are in
   bucket -1, from 0 to 1. Buckets add up, so percentiles of any range can be read from them. #}
{% macro log_bucket(number) -%}
    cast(case when {{ number }} < 1 then -1 else floor(ln({{ number }}) / ln(1.05)) end as integer)
{%- endmacro %}
