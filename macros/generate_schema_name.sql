{# Schemas are named as they are configured, without the target's name before them: people's
   dashboards hang on usage.tokens_by_day_and_ai. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ custom_schema_name or target.schema }}
{%- endmacro %}
