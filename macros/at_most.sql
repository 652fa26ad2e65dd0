{# What was told of a part, or as much of it as there is room for. Null where either is not known. #}
{% macro at_most(part, room) -%}
    case
        when {{ part }} is not null and {{ room }} is not null
            then greatest(least({{ part }}, {{ room }}), 0)
    end
{%- endmacro %}
