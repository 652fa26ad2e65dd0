{# How models that are built day by day know what to rebuild.

   Such a model has a column that says what each of its days was built from, and another relation
   tells what each day should be built from. Days that differ are deleted and inserted in one
   transaction, so it does not matter who builds, in what order, or after what crash: a build always
   ends with what a full refresh would give. #}

{# Which column of the model that is being built holds its days, and which says what they were built
   from. A model of weeks and months has the first day of each. #}
{% macro built_by() -%}
    {%- if this.identifier in ('int_requests', 'int_accepted_events') -%}
        {# Raw files and settings. #}
        {{ return({'day': 'usage_date', 'version': 'events_version'}) }}
    {%- elif this.identifier.startswith('int_sessions') -%}
        {# All days of the sessions that the day has a part of. #}
        {{ return({'day': 'usage_date', 'version': 'sessions_version'}) }}
    {%- elif this.identifier == 'int_usage_by_period' -%}
        {# All days of the week or month. #}
        {{ return({'day': 'period_start', 'version': 'period_version'}) }}
    {%- endif -%}
    {# Requests as they were built, prices, the names of AI services and the teams of users. #}
    {{ return({'day': 'usage_date', 'version': 'requests_version'}) }}
{%- endmacro %}

{# Columns of a model in this schema as it is now, by day: nothing, if it is to be built anew. #}
{% macro already_built(model_name, columns, day='usage_date') -%}
    {%- set relation = adapter.get_relation(this.database, this.schema, model_name) -%}
    {%- if relation is none or flags.FULL_REFRESH -%}
    select
        cast(null as date) as {{ day }}
        {%- for column in columns %}, cast(null as varchar) as {{ column }}{% endfor %}
    where false
    {%- else -%}
    select distinct {{ day }}, {{ columns | join(', ') }} from {{ relation }}
    {%- endif -%}
{%- endmacro %}

{# The days to rebuild of the model that is being built: those that int_usage_dates marks for what
   reads events itself, and those that are built from something else than they should be. #}
{% macro usage_dates_to_rebuild() -%}
    {%- set by = built_by() -%}
    {%- if by.version == 'events_version' -%}
    select usage_date from {{ ref('int_usage_dates') }} where needs_rebuild
    {%- else -%}
    select coalesce(wanted.{{ by.day }}, built.{{ by.day }})
    from (
        {%- if by.version == 'period_version' %}
        {{ versions_of_periods() }}
        {%- elif by.version == 'sessions_version' %}
        select * from {{ ref('int_sessions_version_by_day') }}
        {{- ' where ' ~ is_live('usage_date') if this.identifier == 'int_sessions' }}
        {%- else %}
        select * from {{ ref('int_requests_version_by_day') }}
        {%- endif %}
    ) as wanted
    full join ({{ already_built(this.identifier, [by.version], by.day) }}) as built
        on wanted.{{ by.day }} = built.{{ by.day }}
    where wanted.{{ by.version }} is distinct from built.{{ by.version }}
    {%- endif -%}
{%- endmacro %}

{# dbt's incremental_strategy `replace_usage_dates`. #}
{% macro get_incremental_replace_usage_dates_sql(arguments) -%}
    {%- set columns = arguments.dest_columns | map(attribute='quoted') | join(', ') -%}
    delete from {{ arguments.target_relation }}
    where {{ built_by().day }} in ({{ usage_dates_to_rebuild() }});

    insert into {{ arguments.target_relation }} ({{ columns }})
    select {{ columns }} from {{ arguments.temp_relation }}
{%- endmacro %}

{# int_usage_dates says which days int_requests holds after a build: all of them, on a full refresh
   of both. Refreshed alone int_requests would be left with a few days. #}
{% macro refuse_full_refresh_without(relation) -%}
    {%- set missing = 'model.ai_usage.' ~ relation.identifier not in selected_resources -%}
    {%- if execute and flags.FULL_REFRESH and missing and model.unique_id in selected_resources -%}
        {{ exceptions.raise_compiler_error(
            'A full refresh of ' ~ this.identifier ~ ' needs ' ~ relation.identifier
            ~ ' too: select +' ~ this.identifier ~ ' instead.'
        ) }}
    {%- endif -%}
{%- endmacro %}
