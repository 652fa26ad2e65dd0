with usage_dates as (

    select * from {{ ref('int_events_version_by_day') }}

),

events as (

    select
        event_date,
        request_id
    from {{ ref('int_requests_unioned') }}
    -- None where every day has changed: no other is left to look for.
    where (select not bool_and(has_changed) from usage_dates)

),

changed_event_dates as (

    select distinct unnest(event_dates) as event_date
    from usage_dates
    where has_changed

),

changed_requests as (

    select request_id from events
    where event_date in (select event_date from changed_event_dates)

    union all

    -- Those that are gone from a changed day, too: another delivery may have to stand in.
    select request_id from ({{ already_built('int_requests', 'request_id') }}) as built_requests
    where
        usage_date in (
            select usage_date from usage_dates
            where has_changed
        )

),

shared_event_dates as (

    select list(distinct event_date) as event_dates from events
    where request_id in (select request_id from changed_requests)

),

-- A day that shares a request with a changed one must be rebuilt with it: the request may move. And
-- local days are rebuilt as a whole.
event_dates_to_rebuild as (

    select distinct unnest(event_dates) as event_date
    from usage_dates
    where has_changed or list_has_any(event_dates, (select event_dates from shared_event_dates))

),

requests_to_rebuild as (

    select request_id from events
    where event_date in (select event_date from event_dates_to_rebuild)

),

final as (

    select
        event_date,
        true as needs_rebuild
    from event_dates_to_rebuild

    union all

    select distinct
        event_date,
        false as needs_rebuild
    from events
    where
        request_id in (select request_id from requests_to_rebuild)
        and event_date not in (select event_date from event_dates_to_rebuild)

)

select * from final
