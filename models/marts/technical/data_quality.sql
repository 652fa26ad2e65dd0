with event_counts as (

    select * from {{ ref('int_event_counts') }}

),

usage_hourly as (

    select
        {%- for measure in [
            'requests', 'unpriced_requests', 'requests_without_usage', 'requests_without_user',
            'requests_without_session', 'conflicting_deliveries', 'parts_cut'
        ] %}
            cast(sum({{ measure }}) as bigint) as {{ measure }},
        {%- endfor %}
        source,
        usage_date
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
        event_counts.operations_left_out,
        event_counts.events_accepted
        - event_counts.non_usage_events
        - coalesce(usage_hourly.requests, 0) as duplicates,
        event_counts.late_events,
        event_counts.tokens_only_in_parents,
        coalesce(usage_hourly.requests, 0) as requests,
        coalesce(usage_hourly.unpriced_requests, 0) as unpriced_requests,
        coalesce(usage_hourly.requests_without_usage, 0) as requests_without_usage,
        coalesce(usage_hourly.requests_without_user, 0) as requests_without_user,
        coalesce(usage_hourly.requests_without_session, 0) as requests_without_session,
        coalesce(usage_hourly.conflicting_deliveries, 0) as conflicting_deliveries,
        coalesce(usage_hourly.parts_cut, 0) as parts_cut
    from event_counts
    left join usage_hourly using (usage_date, source)

)

select * from final
