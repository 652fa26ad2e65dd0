{# The organisation's setting of that name: the environment variable AI_USAGE_<NAME> if there is
   one, else the variable in dbt_project.yml. Always text; a list is written with commas. #}
{% macro setting(name) -%}
    {%- set default = var(name) -%}
    {%- if default is sequence and default is not string -%}
        {%- set default = default | join(',') -%}
    {%- endif -%}
    {%- set values = env_var('AI_USAGE_' ~ name | upper, default | string).split(',') -%}
    {{ return(values | map('trim') | join(',')) }}
{%- endmacro %}
