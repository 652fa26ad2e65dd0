{{ config(materialized='view') }}

with deliveries as (

    select * from {{ ref('int_deliveries') }}

),

repeated_requests as (

    select * from {{ ref('int_repeated_requests') }}

),

usage_dates as (

    select * from {{ ref('int_usage_dates') }}

),

requests as (

    -- Most come once.
    select
        request_id,
        source,
        response_id,
        prompt_id,
        reported_session_id,
        is_session_id_doubtful,
        user_id,
        end_user_id,
        user_name,
        team_id,
        provider,
        model,
        status,
        error_type,
        {{ token_types() | map(attribute='tokens') | join(', ') }},
        reported_cost_usd,
        is_cache_hit,
        is_part_cut,
        is_client_view,
        requested_at,
        first_token_at,
        completed_at,
        0 as conflicting_deliveries
    from deliveries
    where request_id not in (select request_id from repeated_requests)

    union all by name

    select * from repeated_requests

),

localized as (

    select
        requests.*,
        {{ local_time('requested_at') }} as requested_at_local
    from requests
    -- What only the client has seen of a gateway's traffic is no request of its own.
    where not is_client_view

),

final as (

    select
        localized.*,
        usage_dates.usage_date,
        usage_dates.events_version
    from localized
    inner join usage_dates on cast(localized.requested_at_local as date) = usage_dates.usage_date
    where
        usage_dates.needs_rebuild
        -- A day without a version counts from raw/ no more.
        and usage_dates.events_version is not null

)

select * from final
