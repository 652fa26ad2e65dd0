{# The relation has one row per combination of the columns, and none of them is null. #}
{% test one_row_per(model, columns) %}
    select {{ columns | join(', ') }}, count(*) as number_of_rows
    from {{ model }}
    group by {{ columns | join(', ') }}
    having
        count(*) > 1
        {%- for column in columns %}
        or {{ column }} is null
        {%- endfor %}
{% endtest %}
