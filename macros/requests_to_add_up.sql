{# What a model of sums by day begins with: the requests of the days to rebuild, each with the
   version of its day's requests. Such a model is incremental, selects its sums by usage_date and
   requests_version, and ends with and_archived(). `of` is another relation of requests. #}
{% macro requests_to_add_up(of=none) -%}
    select
        requests.*,
        versions.requests_version
    from {{ of or ref('fct_requests') }} as requests
    inner join {{ ref('int_requests_version_by_day') }} as versions
        on requests.usage_date = versions.usage_date
    {%- if is_incremental() %}
    where requests.usage_date in ({{ usage_dates_to_rebuild() }})
    {%- endif %}
{%- endmacro %}
