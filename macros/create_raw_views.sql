{# Makes schema `raw`: a view for each source table over its Parquet files, with the columns and
   types that models/staging/raw.yml declares, and the view raw.files, which lists the files. A
   column that files of earlier versions lack is null in them, and a source that nothing has landed
   for is an empty table: so models need not care. Of 400 files each query opens all to see their
   columns, which takes it 20 ms. #}
{% macro create_raw_views() -%}
    {% if execute %}
        {% set raw = env_var('AI_USAGE_HOME', 'data') | replace("'", "''") ~ '/raw' %}
        {% do run_query('create schema if not exists raw') %}
        {% for source in graph.sources.values() if source.source_name == 'raw' and source.name != 'files' %}
            {% set folder = 'event_date=*/' if 'event_date' in source.columns else '' %}
            {% set files = raw ~ '/' ~ source.name ~ '/' ~ folder ~ '*.parquet' %}
            {% set number_of_files = run_query("select count(*) from glob('" ~ files ~ "')").columns[0][0] %}
            {% call statement('create_raw_view', auto_begin=False) %}
                create or replace view raw.{{ source.name }} as
                select {{ source.columns.keys() | join(', ') }}
                from (
                    select
                        {% for column in source.columns.values() %}
                        null::{{ column.data_type }} as {{ column.name }}{{ ',' if not loop.last }}
                        {% endfor %}
                    where false
                    {% if number_of_files %}
                    union all by name
                    select *
                    from read_parquet(
                        '{{ files }}', union_by_name = true
                        {{ ", hive_types = {'event_date': date}" if folder }}
                    )
                    {% endif %}
                )
            {% endcall %}
        {% endfor %}
        {% call statement('create_raw_files', auto_begin=False) %}
            create or replace view raw.files as
            select
                split_part(file, '/', -3) as source,
                cast(split_part(split_part(file, '/', -2), '=', 2) as date) as event_date,
                split_part(file, '/', -1) as file_name
            from glob('{{ raw }}/*/event_date=*/*.parquet')
        {% endcall %}
    {% endif %}
{%- endmacro %}
