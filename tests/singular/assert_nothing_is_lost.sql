-- What the ledger says was received is all accounted for: accepted or rejected, and of the accepted
-- each event is a request, another delivery of one, or no use. Requests are counted here by their
-- ids in the events, in another way than the models count them.
with loads as (

    select
        source,
        sum(events_received) as events_received
    from {{ source('raw', 'loads') }}
    group by source

),

live_events as (

    select * from {{ ref('int_requests_unioned') }}
    where {{ is_live('cast(' ~ local_time('requested_at') ~ ' as date)') }}

),

events as (

    select
        source,
        count(*) as events_accepted,
        count(*) filter (not is_request or is_client_view) as non_usage_events
    from live_events
    group by source

),

data_quality as (

    select
        source,
        sum(events_received) as events_received,
        sum(events_accepted) as events_accepted,
        sum(events_rejected) as events_rejected,
        sum(non_usage_events) as non_usage_events,
        sum(duplicates) as duplicates,
        sum(requests) as requests,
        -- Of days past retention nothing else is left to compare with.
        coalesce(sum(events_accepted) filter ({{ is_live('usage_date') }}), 0)
            as live_events_accepted,
        coalesce(sum(non_usage_events) filter ({{ is_live('usage_date') }}), 0)
            as live_non_usage_events
    from {{ ref('data_quality') }}
    group by source

),

request_ids as (

    select distinct request_id from live_events
    where is_request and not is_client_view

),

-- A request that was also reported before midnight of the last day past retention may count there.
distinct_requests as (

    select
        count(*) as at_most,
        count(*) filter (
            request_id not in (
                select request_id from {{ ref('int_requests_unioned') }}
                where not {{ is_live('cast(' ~ local_time('requested_at') ~ ' as date)') }}
            )
        ) as at_least
    from request_ids

),

requests as (

    select count(*) as requests from {{ ref('fct_requests') }}

)

select
    source,
    loads.events_received as received_by_the_ledger,
    events.events_accepted as accepted_in_staging,
    data_quality.events_received,
    data_quality.events_accepted,
    data_quality.events_rejected,
    data_quality.non_usage_events,
    data_quality.duplicates,
    data_quality.requests
from data_quality
full join loads using (source)
full join events using (source)
where
    coalesce(loads.events_received, 0) is distinct from coalesce(data_quality.events_received, 0)
    or coalesce(events.events_accepted, 0) <> data_quality.live_events_accepted
    or coalesce(events.non_usage_events, 0) <> data_quality.live_non_usage_events
    or data_quality.events_received <> data_quality.events_accepted + data_quality.events_rejected
    or data_quality.events_accepted
    <> data_quality.requests + data_quality.duplicates + data_quality.non_usage_events
    or data_quality.duplicates < 0

union all

select
    'all sources' as source,
    null as received_by_the_ledger,
    null as accepted_in_staging,
    null as events_received,
    null as events_accepted,
    null as events_rejected,
    null as non_usage_events,
    null as duplicates,
    requests.requests
from distinct_requests
cross join requests
where requests.requests not between distinct_requests.at_least and distinct_requests.at_most
