-- Every record that landed, counted on its own day and under its own source.
with accepted as (

    select * exclude (events_version) from {{ ref('int_accepted_events') }}
    where {{ is_live('usage_date') }}

),

rejected as (

    select
        source,
        -- A record whose time cannot be read counts on the day on which it landed.
        cast({{ local_time('coalesce(event_at, landed_at)') }} as date) as usage_date,
        count(*) as events_rejected
    from {{ source('raw', 'rejected') }}
    group by all

),

live_rejected as (

    select * from rejected
    where {{ is_live('usage_date') }}

),

final as (

    select
        usage_date,
        source,
        coalesce(accepted.events_accepted, 0) + coalesce(live_rejected.events_rejected, 0)
            as events_received,
        coalesce(accepted.events_accepted, 0) as events_accepted,
        coalesce(live_rejected.events_rejected, 0) as events_rejected,
        coalesce(accepted.non_usage_events, 0) as non_usage_events,
        coalesce(accepted.late_events, 0) as late_events,
        coalesce(accepted.tokens_only_in_parents, 0) as tokens_only_in_parents,
        accepted.operations_left_out
    from accepted
    full join live_rejected using (usage_date, source)
    {{ and_archived() }}

)

select * from final
