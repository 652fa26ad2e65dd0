with events_versions as (

    select * from {{ ref('int_events_version_by_day') }}

),

event_dates_to_rebuild as (

    select list(event_date) as event_dates from {{ ref('int_event_dates_to_read') }}
    where needs_rebuild

),

final as (

    select
        events_versions.usage_date,
        events_versions.events_version,
        events_versions.has_changed
        or coalesce(
            list_has_all(event_dates_to_rebuild.event_dates, events_versions.event_dates), false
        ) as needs_rebuild
    from events_versions
    cross join event_dates_to_rebuild

)

select * from final
