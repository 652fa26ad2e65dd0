{# A UTC timestamp as the wall clock of the organisation's reporting time zone shows it. #}
{% macro local_time(timestamp_utc) -%}
    {%- if setting('reporting_time_zone') == 'UTC' -%}
    {{ timestamp_utc }}
    {%- else -%}
    timezone('{{ setting("reporting_time_zone") }}', timezone('UTC', {{ timestamp_utc }}))
    {%- endif -%}
{%- endmacro %}
