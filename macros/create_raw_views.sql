{# Makes schema `raw`: a view for each source table over its Parquet files, with the columns and
   types that models/staging/raw.yml declares, and the view raw.files, which lists the files. A
   source that nothing has landed for is an empty table, so that models need not care. #}
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
                {% if number_of_files %}
                select {{ source.columns.keys() | join(', ') }}
                from read_parquet('{{ files }}'{{ ", hive_types = {'event_date': date}" if folder }})
                {% else %}
                select
                    {% for column in source.columns.values() %}
                    null::{{ column.data_type }} as {{ column.name }}{{ ',' if not loop.last }}
                    {% endfor %}
                where false
                {% endif %}
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
