-- Every event that was taken in, counted on its own day and under its own source.
with events as (

    select * from {{ ref('int_requests_unioned') }}

),

local_events as (

    select
        source,
        cast({{ local_time('requested_at') }} as date) as usage_date,
        is_request and not is_client_view as is_usage,
        cast({{ local_time('landed_at') }} as date) as landed_date
    from events

),

final as (

    select
        usage_date,
        source,
        count(*) as events_accepted,
        count(*) filter (not is_usage) as non_usage_events,
        -- The rebuild in the night after its day went without it.
        count(*) filter (landed_date > usage_date + 1) as late_events
    from local_events
    group by all

)

select * from final
