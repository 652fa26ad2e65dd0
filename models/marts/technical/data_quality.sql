with event_counts as (

    select * from {{ ref('int_event_counts') }}

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
    group by source, usage_date

),

final as (

    select
        usage_date,
        source,
        event_counts.events_received,
        event_counts.events_accepted,
        event_counts.events_rejected,
        event_counts.non_usage_events,
        event_counts.events_accepted
        - event_counts.non_usage_events
        - coalesce(usage_hourly.requests, 0) as duplicates,
        event_counts.late_events,
        coalesce(usage_hourly.requests, 0) as requests,
        coalesce(usage_hourly.unpriced_requests, 0) as unpriced_requests,
        coalesce(usage_hourly.requests_without_user, 0) as requests_without_user,
        coalesce(usage_hourly.requests_without_session, 0) as requests_without_session
    from event_counts
    left join usage_hourly using (usage_date, source)

)

select * from final
