{{ config(materialized='view') }}

with events as (

    select * exclude (is_request, landed_at, has_usage)
    from {{ ref('int_requests_unioned') }}
    where
        is_request
        and event_date in (select event_date from {{ ref('int_event_dates_to_read') }})

),

repeated_requests as (

    select * from {{ ref('int_repeated_requests') }}

),

usage_dates as (

    select * from {{ ref('int_usage_dates') }}

),

requests as (

    -- Most come once.
    select * exclude (event_date) from events
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
