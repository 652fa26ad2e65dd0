{# How models that are built day by day know what to rebuild.

   Such a model has a column that says what each of its days was built from, and another relation
   tells what each day should be built from. Days that differ are deleted and inserted in one
   transaction, so it does not matter who builds, in what order, or after what crash: a build always
   ends with what a full refresh would give.

   int_requests and int_accepted_events have events_version: raw files and settings, as int_events_version_by_day wants them.
   Whatever adds up requests has requests_version: requests as they were built, names and prices, as
   int_requests_version_by_day wants them. #}

{# Columns of a model in this schema as it is now, by day: nothing, if it is to be built anew. #}
{% macro already_built(model_name, columns) -%}
    {%- set relation = adapter.get_relation(this.database, this.schema, model_name) -%}
    {%- if relation is none or flags.FULL_REFRESH -%}
    select
        cast(null as date) as usage_date
        {%- for column in columns %}, cast(null as varchar) as {{ column }}{% endfor %}
    where false
    {%- else -%}
    select distinct usage_date, {{ columns | join(', ') }} from {{ relation }}
    {%- endif -%}
{%- endmacro %}

{# The days to rebuild of the model that is being built: those that int_usage_dates marks for what
   reads events itself, and those whose requests or prices have changed for whatever adds up
   requests. #}
{% macro usage_dates_to_rebuild() -%}
    {%- if this.identifier in ('int_requests', 'int_accepted_events') -%}
    select usage_date from {{ ref('int_usage_dates') }} where needs_rebuild
    {%- else -%}
    select coalesce(wanted.usage_date, built.usage_date)
    from {{ ref('int_requests_version_by_day') }} as wanted
    full join ({{ already_built(this.identifier, ['requests_version']) }}) as built
        on wanted.usage_date = built.usage_date
    where wanted.requests_version is distinct from built.requests_version
    {%- endif -%}
{%- endmacro %}

{# dbt's incremental_strategy `replace_usage_dates`. #}
{% macro get_incremental_replace_usage_dates_sql(arguments) -%}
    {%- set columns = arguments.dest_columns | map(attribute='quoted') | join(', ') -%}
    delete from {{ arguments.target_relation }}
    where usage_date in ({{ usage_dates_to_rebuild() }});

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
