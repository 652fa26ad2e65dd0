{# Reports count requests without a user under a name that says so, since no grain may be null. #}
{% macro known_user(user_id) -%}
    coalesce({{ user_id }}, '(unknown)')
{%- endmacro %}
