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

hourly as (

    select
        usage_date,
        usage_hour,
        {{ known_user('user_id') }} as user_id,
        ai_service,
        provider,
        model,
        source,
        count(*) as requests,
        count(*) filter (status = 'success') as responses,
        count(*) filter (status = 'failure') as failed_requests,
        count(*) filter (price_id is null) as unpriced_requests,
        count(*) filter (user_id is null) as requests_without_user,
        count(*) filter (session_id_source = 'derived') as requests_without_session,
        {%- for tokens in [
            'input_uncached_tokens', 'cache_read_tokens', 'cache_write_tokens',
            'output_tokens_without_reasoning', 'reasoning_tokens', 'input_tokens', 'output_tokens',
            'total_tokens'
        ] %}
            cast(sum({{ tokens }}) as bigint) as {{ tokens }},
        {%- endfor %}
        cast(coalesce(sum(total_tokens) filter (cost_usd is null), 0) as bigint) as unpriced_tokens,
        sum(response_time_ms) filter (status = 'success') as total_response_time_ms,
        count(response_time_ms) filter (status = 'success') as timed_responses,
        sum(cost_usd) as cost_usd,
        sum(reported_cost_usd) as reported_cost_usd
    from requests
    group by all

),

final as (

    select
        hourly.*,
        versions.requests_version
    from hourly
    inner join versions on hourly.usage_date = versions.usage_date
    {{ and_archived(user_columns=['user_id']) }}

)

select * from final
