{# How days whose requests are gone stay in the reports. orchestration/privacy/retention.py writes
   what the models below hold of such days to archive/<last day>/<model>.parquet, and removes the
   requests from raw/. A day up to the last archived one counts from there alone, whatever raw/ still
   has. #}

{# The archive's files of a model, as DuckDB's glob takes them. #}
{% macro archive_files(model_name) -%}
    {{ return(env_var('AI_USAGE_HOME', 'data') | replace("'", "''") ~ '/archive/*/' ~ model_name ~ '.parquet') }}
{%- endmacro %}

{# The last archived day that has a file of the model, or none. Unit tests know of no archive. #}
{% macro archived_through(model_name='int_event_counts') -%}
    {%- if execute and model.resource_type != 'unit_test' -%}
        {%- set query = "select max(split_part(file, '/', -2)) from glob('" ~ archive_files(model_name) ~ "')" -%}
        {{ return(run_query(query).columns[0][0]) }}
    {%- endif -%}
{%- endmacro %}

{# Whether a day counts from raw/. #}
{% macro is_live(usage_date) -%}
    {%- set last_day = archived_through() -%}
    {{ usage_date ~ " > date '" ~ last_day ~ "'" if last_day else 'true' }}
{%- endmacro %}

{# The requests_version of archived days. #}
{% macro archived_version() -%}
    'archived ' || {{ hiding_version() }}
{%- endmacro %}

{# At the end of a select: and the rows of a model that are archived, of the days to rebuild if that
   is how it is built. Users may be hidden now who were not when the day was archived, and money have
   had more decimals. #}
{% macro and_archived(model_name=none, user_columns=[], money_columns=[]) -%}
    {%- set model_name = model_name or this.identifier -%}
    {%- if archived_through(model_name) %}
    union all by name
    select
        * exclude (users_are_hidden)
        {%- set user_columns = user_columns if users_are_hidden() else [] %}
        {%- if user_columns or money_columns %}
        replace (
            {%- for column in user_columns %}
            case
                when users_are_hidden then {{ column }}
                {{ 'else ' ~ hidden_user(column) if column == 'user_id' }}
            end as {{ column }}{{ ',' if money_columns or not loop.last }}
            {%- endfor %}
            {%- for column in money_columns %}
            cast({{ column }} as decimal(38, 12)) as {{ column }}{{ ',' if not loop.last }}
            {%- endfor %}
        )
        {%- endif %}
        {%- if model.config.materialized == 'incremental' %},
        {{ archived_version() }} as requests_version
        {%- endif %}
    from (
        from read_parquet('{{ archive_files(model_name) }}', union_by_name = true)
        {%- for column in user_columns + money_columns %}
        -- What was archived before it was kept has no such column.
        union all by name
        select cast(null as {{ 'decimal(38, 12)' if column in money_columns else 'varchar' }}) as {{ column }}
        where false
        {%- endfor %}
    ) as archived
        {%- if is_incremental() %}
    where usage_date in ({{ usage_dates_to_rebuild() }})
        {%- endif %}
    {%- endif -%}
{%- endmacro %}

{# At the end of a select: and the archived days, with their requests_version. #}
{% macro and_archived_versions() -%}
    {%- if archived_through('int_usage_hourly') %}
    union all
    select distinct usage_date, {{ archived_version() }}
    from read_parquet('{{ archive_files("int_usage_hourly") }}', union_by_name = true)
    {%- endif -%}
{%- endmacro %}
