with event_counts as (

    select * from {{ ref('int_event_counts') }}

),

rejected as (

    select
        source,
        -- A record whose time cannot be read counts on the day on which it landed.
        coalesce(event_date, cast({{ local_time('landed_at') }} as date)) as usage_date,
        count(*) as events_rejected
    from {{ source('raw', 'rejected') }}
    group by all

),

usage_hourly as (

    select
        source,
        usage_date,
        cast(sum(requests) as bigint) as requests,
        cast(sum(unpriced_requests) as bigint) as unpriced_requests,
        cast(sum(requests_without_user) as bigint) as requests_without_user,
        cast(sum(requests_without_session) as bigint) as requests_without_session
    from {{ ref('int_usage_hourly') }}
    group by all

),

final as (

    select
        usage_date,
        source,
        coalesce(event_counts.events_accepted, 0) + coalesce(rejected.events_rejected, 0)
            as events_received,
        coalesce(event_counts.events_accepted, 0) as events_accepted,
        coalesce(rejected.events_rejected, 0) as events_rejected,
        coalesce(event_counts.non_usage_events, 0) as non_usage_events,
        coalesce(event_counts.events_accepted, 0)
        - coalesce(event_counts.non_usage_events, 0)
        - coalesce(usage_hourly.requests, 0) as duplicates,
        coalesce(event_counts.late_events, 0) as late_events,
        coalesce(usage_hourly.requests, 0) as requests,
        coalesce(usage_hourly.unpriced_requests, 0) as unpriced_requests,
        coalesce(usage_hourly.requests_without_user, 0) as requests_without_user,
        coalesce(usage_hourly.requests_without_session, 0) as requests_without_session
    from event_counts
    full join rejected using (usage_date, source)
    full join usage_hourly using (usage_date, source)

)

select * from final
