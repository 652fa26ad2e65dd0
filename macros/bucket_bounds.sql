{# The bounds of a bucket of log_bucket, as columns <name>_from_<unit> and <name>_to_<unit>. #}
{% macro bucket_bounds(bucket, name, unit) -%}
    case when {{ bucket }} < 0 then 0 else pow(1.05, {{ bucket }}) end as {{ name }}_from_{{ unit }},
    pow(1.05, {{ bucket }} + 1) as {{ name }}_to_{{ unit }}
{%- endmacro %}
