{# A UTC timestamp as the wall clock of the organisation's reporting time zone shows it. #}
{% macro local_time(timestamp_utc) -%}
    timezone('{{ setting("reporting_time_zone") }}', timezone('UTC', {{ timestamp_utc }}))
{%- endmacro %}
