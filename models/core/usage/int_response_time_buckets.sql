{{ config(
    materialized='incremental',
    incremental_strategy='replace_usage_dates',
    on_schema_change='fail'
) }}

with requests as (

    select * from {{ ref('fct_requests') }}
    where
        status = 'success'
        and response_time_ms is not null
        {% if is_incremental() %}
            and usage_date in ({{ usage_dates_to_rebuild() }})
        {% endif %}

),

versions as (

    select * from {{ ref('int_requests_version_by_day') }}

),

buckets as (

    select
        usage_date,
        ai_service,
        {{ log_bucket('response_time_ms') }} as bucket,
        count(*) as responses
    from requests
    group by all

),

final as (

    select
        buckets.*,
        versions.requests_version
    from buckets
    inner join versions on buckets.usage_date = versions.usage_date
    {{ and_archived() }}

)

select * from final
