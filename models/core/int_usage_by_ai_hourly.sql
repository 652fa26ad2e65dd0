{{ config(
    materialized='incremental',
    incremental_strategy='replace_usage_dates',
    on_schema_change='fail'
) }}

with requests as (

    select * from {{ ref('fct_requests') }}
    {% if is_incremental() %}
        where usage_date in ({{ usage_dates_to_rebuild() }})
    {% endif %}

),

versions as (

    select * from {{ ref('int_request_versions') }}

),

hourly as (

    select
        usage_date,
        usage_hour,
        ai_service,
        count(*) as requests,
        count(*) filter (status = 'failure') as failed_requests,
        count(distinct prompt_id) as prompts,
        count(distinct user_id) as active_users,
        cast(sum(total_tokens) as bigint) as total_tokens,
        sum(cost_usd) as cost_usd
    from requests
    group by usage_date, usage_hour, ai_service

),

final as (

    select
        hourly.*,
        versions.version
    from hourly
    inner join versions on hourly.usage_date = versions.usage_date
    {{ and_archived() }}

)

select * from final
