{{ config(materialized='incremental') }}
-- depends_on: {{ ref('int_requests_version_by_day') }}

-- Of requests without their prices: prompts need no more, and an archived day keeps them here.
with prompts as (

    select
        usage_date,
        usage_hour,
        {{ known_user('user_id') }} as user_id,
        count(distinct prompt_id) as prompts
    from {{ ref('int_requests') }}
    {% if is_incremental() %}
        where usage_date in ({{ usage_dates_to_rebuild() }})
    {% endif %}
    group by usage_date, usage_hour, {{ known_user('user_id') }}
    {{ and_archived(user_columns=['user_id']) }}

),

usage_hourly as (

    select
        usage_date,
        requests_version,
        usage_hour,
        user_id,
        cast(sum(requests) as bigint) as requests,
        cast(sum(total_tokens) as bigint) as total_tokens,
        {{ sum_of_costs() }} as cost_usd,
        {{ sum_not_told() }}
    from {{ ref('int_usage_hourly') }}
    {% if is_incremental() %}
        where usage_date in ({{ usage_dates_to_rebuild() }})
    {% endif %}
    group by usage_date, requests_version, usage_hour, user_id

),

final as (

    select
        usage_hourly.*,
        prompts.prompts
    from usage_hourly
    left join prompts
        on
            usage_hourly.usage_date = prompts.usage_date
            and usage_hourly.usage_hour = prompts.usage_hour
            and usage_hourly.user_id = prompts.user_id

)

select * from final
