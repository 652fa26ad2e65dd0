{{ config(materialized='incremental') }}

-- What does not add up over hours, models or users, counted at the grain of each daily report.
with requests as (

    select
        * exclude (user_id),
        {{ known_user('user_id') }} as user_id
    from ({{ requests_to_add_up() }}) as requests

),

-- Which sessions and prompts: of session days rather than requests, which are four times as many.
session_prompts as (

    select
        usage_date,
        requests_version,
        ai_service,
        user_id,
        session_number,
        unnest(prompts) as prompt
    from {{ ref('int_session_days') }}
    {% if is_incremental() %}
        where usage_date in ({{ usage_dates_to_rebuild() }})
    {% endif %}

),

measured as (

    select
        usage_date,
        requests_version,
        ai_service,
        user_id,
        count(*) as requests,
        count(*) filter (where status = 'success') as responses,
        count(*) filter (where status = 'failure') as failed_requests,
        cast(sum(input_tokens) as bigint) as input_tokens,
        cast(sum(output_tokens) as bigint) as output_tokens,
        cast(sum(total_tokens) as bigint) as total_tokens,
        count(*) filter (where price_status = 'no usage reported') as requests_without_usage,
        sum(response_time_ms) filter (where status = 'success') as total_response_time_ms,
        count(response_time_ms) filter (where status = 'success') as timed_response_time_ms,
        {{ response_sums() }},
        -- All at once, since each by itself would keep every response time again.
        quantile_cont(cast(response_time_ms as double), [0.5, 0.95, 0.99]) filter (
            where status = 'success'
        ) as percentiles_ms,
        case
            when grouping(ai_service) = 0 then 'ai_service'
            when grouping(user_id) = 0 then 'user'
            else 'day'
        end as grain
    from requests
    group by grouping sets (
        (usage_date, requests_version, ai_service),
        (usage_date, requests_version, user_id),
        (usage_date, requests_version)
    )

),

distinct_counts as (

    select
        usage_date,
        requests_version,
        ai_service,
        user_id,
        count(distinct prompt) as prompts,
        count(distinct session_number) as sessions,
        count(distinct user_id) filter (where {{ is_person('user_id') }}) as active_users,
        count(distinct ai_service) as ai_services_used
    from session_prompts
    group by grouping sets (
        (usage_date, requests_version, ai_service),
        (usage_date, requests_version, user_id),
        (usage_date, requests_version)
    )

),

final as (

    select
        measured.* exclude (percentiles_ms),
        {%- for percent in [50, 95, 99] %}
            percentiles_ms[{{ loop.index }}] as p{{ percent }}_response_time_ms,
        {%- endfor %}
        distinct_counts.prompts,
        distinct_counts.sessions,
        distinct_counts.active_users,
        distinct_counts.ai_services_used
    from measured
    -- By version, so that a day of older sessions is left out, and built by the next build.
    inner join distinct_counts
        on
            measured.usage_date = distinct_counts.usage_date
            and measured.requests_version = distinct_counts.requests_version
            and measured.ai_service is not distinct from distinct_counts.ai_service
            and measured.user_id is not distinct from distinct_counts.user_id
    {{ and_archived(user_columns=['user_id']) }}

)

select * from final
