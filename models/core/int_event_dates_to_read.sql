with usage_dates as (

    select * from {{ ref('int_usage_dates') }}

),

events as (

    select
        event_date,
        request_id
    from {{ ref('int_requests_unioned') }}

),

requests as (

    select request_id
    from events
    where event_date in (
        select unnest(event_dates) from usage_dates
        where needs_rebuild
    )

),

final as (

    select distinct event_date
    from events
    where request_id in (select request_id from requests)

)

select * from final
