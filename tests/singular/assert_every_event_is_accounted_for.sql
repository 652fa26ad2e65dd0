-- What the ledger says was received is all accounted for, source by source: accepted or rejected,
-- and of the accepted each event is a request, another delivery of one, or no use.
with loads as (

    select
        source,
        sum(events_received) as events_received,
        sum(events_accepted) as events_accepted
    from {{ source('raw', 'loads') }}
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
        sum(requests) as requests
    from {{ ref('data_quality') }}
    group by source

)

select
    source,
    loads.events_received as received_by_the_ledger,
    loads.events_accepted as accepted_by_the_ledger,
    data_quality.* exclude (source)
from data_quality
full join loads using (source)
where
    coalesce(loads.events_received, 0) is distinct from coalesce(data_quality.events_received, 0)
    or coalesce(loads.events_accepted, 0) is distinct from coalesce(data_quality.events_accepted, 0)
    or data_quality.events_received <> data_quality.events_accepted + data_quality.events_rejected
    or data_quality.events_accepted
    <> data_quality.requests + data_quality.duplicates + data_quality.non_usage_events
    or data_quality.duplicates < 0
