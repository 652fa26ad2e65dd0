with usage_dates as (

    select * from {{ ref('int_usage_dates') }}

),

events as (

    select
        event_date,
        request_id
    from {{ ref('int_requests_unioned') }}

),

event_dates_to_rebuild as (

    select distinct unnest(event_dates) as event_date
    from usage_dates
    where needs_rebuild

),

-- None where every day is rebuilt: no other is left to look for.
other_event_dates as (

    select distinct event_date from {{ source('raw', 'files') }}
    where event_date not in (select event_date from event_dates_to_rebuild)

),

requests as (

    select request_id
    from events
    where
        event_date in (select event_date from event_dates_to_rebuild)
        and (select count(*) from other_event_dates) > 0

),

final as (

    select event_date from event_dates_to_rebuild

    union

    select event_date
    from events
    where
        event_date in (select event_date from other_event_dates)
        and request_id in (select request_id from requests)

)

select * from final
