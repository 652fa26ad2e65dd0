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

    select * from {{ ref('int_requests_version_by_day') }}

),

-- Of this version, so that a day of older hours is left out, and built by the next build.
usage_hourly as (

    select * from {{ ref('int_usage_hourly') }}
    inner join versions using (usage_date, requests_version)
    {% if is_incremental() %}
        where usage_date in ({{ usage_dates_to_rebuild() }})
    {% endif %}

),

prompts as (

    select
        usage_date,
        usage_hour,
        ai_service,
        count(distinct prompt_id) as prompts
    from requests
    group by usage_date, usage_hour, ai_service

),

hourly as (

    select
        usage_date,
        requests_version,
        usage_hour,
        ai_service,
        cast(sum(requests) as bigint) as requests,
        cast(sum(failed_requests) as bigint) as failed_requests,
        count(distinct user_id) filter (user_id <> {{ known_user('null') }}) as active_users,
        cast(sum(total_tokens) as bigint) as total_tokens,
        sum(cost_usd) as cost_usd
    from usage_hourly
    group by usage_date, requests_version, usage_hour, ai_service

),

final as (

    select
        hourly.*,
        prompts.prompts
    from hourly
    inner join prompts using (usage_date, usage_hour, ai_service)
    {{ and_archived() }}

)

select * from final
