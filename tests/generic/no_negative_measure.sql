{# No number in the relation is below zero. #}
{% test no_negative_measure(model) %}
    {%- set numbers = [] -%}
    {%- for column in adapter.get_columns_in_relation(model) -%}
        {%- if column.is_number() or column.is_float() -%}
            {%- do numbers.append(column.quoted ~ ' < 0') -%}
        {%- endif -%}
    {%- endfor %}
    select * from {{ model }}
    where {{ numbers | join(' or ') }}
{% endtest %}
