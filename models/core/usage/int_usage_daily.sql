{{ config(
    materialized='incremental',
    incremental_strategy='replace_usage_dates',
    on_schema_change='fail'
) }}

-- What does not add up over hours, models or users, counted at the grain of each daily report.
with requests as (

    select
        * exclude (user_id),
        {{ known_user('user_id') }} as user_id
    from {{ ref('fct_requests') }}
    {% if is_incremental() %}
        where usage_date in ({{ usage_dates_to_rebuild() }})
    {% endif %}

),

versions as (

    select * from {{ ref('int_requests_version_by_day') }}

),

-- Of this version, so that a day of older sessions is left out, and built by the next build.
session_days as (

    select * from {{ ref('int_session_days') }}
    inner join versions using (usage_date, requests_version)
    {% if is_incremental() %}
        where usage_date in ({{ usage_dates_to_rebuild() }})
    {% endif %}

),

measured as (

    select
        usage_date,
        ai_service,
        user_id,
        count(*) as requests,
        count(*) filter (status = 'success') as responses,
        count(*) filter (status = 'failure') as failed_requests,
        cast(sum(input_tokens) as bigint) as input_tokens,
        cast(sum(output_tokens) as bigint) as output_tokens,
        cast(sum(total_tokens) as bigint) as total_tokens,
        cast(sum(output_tokens) filter (status = 'success') as bigint) as response_output_tokens,
        cast(
            sum(output_tokens) filter (
                status = 'success' and response_time_ms is not null
            ) as bigint
        ) as timed_output_tokens,
        {%- for milliseconds in ['response_time_ms', 'time_to_first_token_ms'] %}
            sum({{ milliseconds }}) filter (status = 'success') as total_{{ milliseconds }},
            count({{ milliseconds }}) filter (status = 'success') as timed_{{ milliseconds }},
        {%- endfor %}
        -- All at once, since each by itself would keep every response time again.
        quantile_cont(cast(response_time_ms as double), [0.5, 0.95, 0.99]) filter (
            status = 'success'
        ) as percentiles_ms,
        case
            when grouping(ai_service) = 0 then 'ai_service'
            when grouping(user_id) = 0 then 'user'
            else 'day'
        end as grain
    from requests
    group by grouping sets ((usage_date, ai_service), (usage_date, user_id), (usage_date))

),

-- Of sessions rather than requests, which are four times as many.
distinct_counts as (

    select
        usage_date,
        ai_service,
        user_id,
        count(distinct session_number) as sessions,
        count(distinct user_id) filter (user_id <> {{ known_user('null') }}) as active_users,
        count(distinct ai_service) as ai_services_used
    from session_days
    group by grouping sets ((usage_date, ai_service), (usage_date, user_id), (usage_date))

),

prompt_days as (

    select
        usage_date,
        ai_service,
        user_id,
        unnest(prompts) as prompt
    from session_days

),

distinct_prompts as (

    select
        usage_date,
        ai_service,
        user_id,
        count(distinct prompt) as prompts
    from prompt_days
    group by grouping sets ((usage_date, ai_service), (usage_date, user_id), (usage_date))

),

final as (

    select
        measured.* exclude (percentiles_ms),
        coalesce(distinct_prompts.prompts, 0) as prompts,
        distinct_counts.sessions,
        distinct_counts.active_users,
        distinct_counts.ai_services_used,
        {%- for percent in [50, 95, 99] %}
            percentiles_ms[{{ loop.index }}] as p{{ percent }}_response_time_ms,
        {%- endfor %}
        versions.requests_version
    from measured
    inner join versions on measured.usage_date = versions.usage_date
    inner join distinct_counts
        on
            measured.usage_date = distinct_counts.usage_date
            and measured.ai_service is not distinct from distinct_counts.ai_service
            and measured.user_id is not distinct from distinct_counts.user_id
    -- Left, so that DuckDB does not join the two counts with each other first, by their day alone.
    left join distinct_prompts
        on
            measured.usage_date = distinct_prompts.usage_date
            and measured.ai_service is not distinct from distinct_prompts.ai_service
            and measured.user_id is not distinct from distinct_prompts.user_id
    {{ and_archived(user_columns=['user_id']) }}

)

select * from final
