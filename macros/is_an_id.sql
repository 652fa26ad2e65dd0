{# Whether a text is an id, and not what some write where they know of none. #}
{% macro is_an_id(text) -%}
    lower({{ text }}) not in ('none', 'null', 'unknown', '0')
{%- endmacro %}
