-- What the ledger says was received is all accounted for, source by source: accepted or rejected,
-- and of the accepted each event is a request, another delivery of one, or no use.
with loads as (

    select
        source,
        sum(events_received) as events_received
    from {{ source('raw', 'loads') }}
    group by source

),

-- Of all days, built now or before.
events as (

    {% for model in models_of_calls(spans='stg_otel__spans') %}
        select
            source,
            count(*) as events_accepted
        from {{ ref(model) }}
        where {{ is_live('cast(' ~ local_time('requested_at') ~ ' as date)') }}
        group by source
        {{ 'union all' if not loop.last }}
    {% endfor %}

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
        coalesce(sum(events_accepted) filter (where {{ is_live('usage_date') }}), 0)
            as live_events_accepted
    from {{ ref('data_quality') }}
    group by source

)

select
    source,
    loads.events_received as received_by_the_ledger,
    events.events_accepted as accepted_in_staging,
    data_quality.* exclude (source)
from data_quality
full join loads using (source)
full join events using (source)
where
    coalesce(loads.events_received, 0) is distinct from coalesce(data_quality.events_received, 0)
    or coalesce(events.events_accepted, 0) <> data_quality.live_events_accepted
    or data_quality.events_received <> data_quality.events_accepted + data_quality.events_rejected
    or data_quality.events_accepted
    <> data_quality.requests + data_quality.duplicates + data_quality.non_usage_events
    or data_quality.duplicates < 0
