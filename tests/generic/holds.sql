{# What holds of each row of the relation, in one query, which says of each row that breaks it what
   is broken: one row per combination of some columns, none of which is null, as nothing of
   `never_null` is; `one_of` maps a column to its only values; measures that are `not negative` are
   all its numbers. #}
{% test holds(model, one_row_per=[], never_null=[], one_of={}, measures='') %}
    {%- set rules = {} -%}
    {%- for column in one_row_per + never_null -%}
        {%- do rules.update({column ~ ' is null': column ~ ' is null'}) -%}
    {%- endfor -%}
    {%- for column, values in one_of.items() -%}
        {%- set is_another = column ~ " not in ('" ~ values | join("', '") ~ "')" -%}
        {%- do rules.update({column ~ ' is none of ' ~ values | join(', '): is_another}) -%}
    {%- endfor -%}
    {%- if measures == 'not negative' and execute -%}
        {%- set numbers = ['bigint', 'integer', 'decimal', 'double'] -%}
        {#- As declared, which a contract enforces: to ask the engine takes longer than to test. -#}
        {%- for node in graph.nodes.values() if node.relation_name == model | string -%}
            {%- for column in node.columns.values() if column.data_type.split('(')[0] in numbers -%}
                {%- do rules.update({column.name ~ ' is negative': column.name ~ ' < 0'}) -%}
            {%- endfor -%}
        {%- endfor -%}
    {%- endif -%}
    {%- set shown = (one_row_per or never_null) | join(', ') -%}
    select
        concat_ws(
            ', '
            {%- for rule, is_broken in rules.items() %},
            case when {{ is_broken }} then '{{ rule }}' end
            {%- endfor %}
        ) as broken,
        {{ shown }}
    from {{ model }}
    where {{ rules.values() | join(' or ') }}
    {%- if one_row_per %}
    union all
    select 'more than one row' as broken, {{ shown }}
    from {{ model }}
    group by {{ shown }}
    having count(*) > 1
    {%- endif %}
{% endtest %}
