-- Every record that landed, counted on its own day and under its own source.
with events as (

    select * from {{ ref('int_requests_unioned') }}

),

rejected as (

    select * from {{ source('raw', 'rejected') }}

),

records as (

    select
        source,
        cast({{ local_time('requested_at') }} as date) as usage_date,
        cast({{ local_time('landed_at') }} as date) as landed_date,
        is_request and not is_client_view as is_usage,
        true as is_accepted
    from events

    union all

    select
        source,
        -- A record whose time cannot be read counts on the day on which it landed.
        cast({{ local_time('coalesce(event_at, landed_at)') }} as date) as usage_date,
        cast({{ local_time('landed_at') }} as date) as landed_date,
        false as is_usage,
        false as is_accepted
    from rejected

),

final as (

    select
        usage_date,
        source,
        count(*) as events_received,
        count(*) filter (where is_accepted) as events_accepted,
        count(*) filter (where not is_accepted) as events_rejected,
        count(*) filter (where is_accepted and not is_usage) as non_usage_events,
        -- The rebuild in the night after its day went without it.
        count(*) filter (where is_accepted and landed_date > usage_date + 1) as late_events
    from records
    where {{ is_live('usage_date') }}
    group by usage_date, source
    {{ and_archived() }}

)

select * from final
