{# What a provider calls its answer; null where an SDK wrote down that there is no such name. #}
{% macro provider_response_id(id) -%}
    case when lower({{ id }}) not in ('', '0', 'none', 'null', 'unknown') then {{ id }} end
{%- endmacro %}
