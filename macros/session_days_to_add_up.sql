{# What a model of sessions begins with: all days of the sessions that have a part in a day to
   rebuild. It keeps those that begin on such a day. #}
{% macro session_days_to_add_up() -%}
    select * from {{ ref('int_session_days') }}
    {%- if is_incremental() %}
    where
        usage_date in (
            select unnest(usage_dates) from {{ ref('int_sessions_version_by_day') }}
            where usage_date in ({{ usage_dates_to_rebuild() }})
        )
    {%- endif %}
{%- endmacro %}

{# With the version by which a model of sessions knows what it was built from: the sessions of
   `added_up` that begin on a day to rebuild. #}
{% macro sessions_with_version() -%}
    select
        added_up.*,
        versions.sessions_version
    from added_up
    inner join {{ ref('int_sessions_version_by_day') }} as versions
        on added_up.usage_date = versions.usage_date
    {%- if is_incremental() %}
    where added_up.usage_date in ({{ usage_dates_to_rebuild() }})
    {%- endif %}
{%- endmacro %}
