{{ config(materialized='incremental') }}

-- What adds up, of the sums by user; and beside it what does not, counted at the grain of each
-- daily report.
with usage_by_user as (

    select * from {{ ref('int_usage_by_user_and_team') }}
    where
        grain = 'user'
        and {{ is_live('usage_date') }}
        {%- if is_incremental() %}
            and usage_date in ({{ usage_dates_to_rebuild() }})
        {%- endif %}

),

requests as (

    {{ requests_to_add_up() }}

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
        {%- for measure in [
            'requests', 'responses', 'failed_requests', 'input_tokens', 'output_tokens',
            'total_tokens', 'requests_without_usage', 'response_output_tokens',
            'responses_with_output_tokens', 'timed_output_tokens', 'timed_time_to_first_token_ms'
        ] %}
            cast(sum({{ measure }}) as bigint) as {{ measure }},
        {%- endfor %}
        sum(total_response_time_ms) as total_response_time_ms,
        cast(sum(timed_responses) as bigint) as timed_response_time_ms,
        sum(output_time_ms) as output_time_ms,
        sum(total_time_to_first_token_ms) as total_time_to_first_token_ms,
        case
            when grouping(ai_service) = 0 then 'ai_service'
            when grouping(user_id) = 0 then 'user'
            else 'day'
        end as grain
    from usage_by_user
    group by grouping sets (
        (usage_date, requests_version, ai_service),
        (usage_date, requests_version, user_id),
        (usage_date, requests_version)
    )

),

percentiles as (

    select
        usage_date,
        requests_version,
        ai_service,
        {{ known_user('requests.user_id') }} as user_id,
        -- All at once, since each by itself would keep every response time again.
        quantile_cont(cast(response_time_ms as double), [0.5, 0.95, 0.99]) as percentiles_ms
    from requests
    where status = 'success' and response_time_ms is not null
    group by grouping sets (
        (usage_date, requests_version, ai_service),
        (usage_date, requests_version, {{ known_user('requests.user_id') }})
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
        measured.*,
        {%- for percent in [50, 95, 99] %}
            percentiles.percentiles_ms[{{ loop.index }}] as p{{ percent }}_response_time_ms,
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
    left join percentiles
        on
            measured.usage_date = percentiles.usage_date
            and measured.ai_service is not distinct from percentiles.ai_service
            and measured.user_id is not distinct from percentiles.user_id
    {{ and_archived(user_columns=['user_id']) }}

)

select * from final
