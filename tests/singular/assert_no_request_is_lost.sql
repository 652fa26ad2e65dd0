-- Each call that is told of in the days that were built is a request or part of one, and each
-- request is some call, found here in another way than the models find them.
with calls as (

    select distinct
        deliveries.request_id,
        cast({{ local_time('requested_at') }} as date) as usage_date
    from {{ ref('int_deliveries') }} as deliveries
    where not deliveries.is_client_view

),

requests as (

    select request_id from {{ ref('int_requests') }}

),

-- A request that was reported on either side of midnight counts on one side.
built_calls as (

    select request_id from calls
    group by request_id
    having bool_and(usage_date in (
        select usage_date from {{ ref('int_usage_dates') }}
        where needs_rebuild and events_version is not null
    ))

)

select request_id from built_calls
where request_id not in (select request_id from requests)
