-- Events share a call's id, a trace, or, near midnight, a provider's response id: see
-- docs/identity.md. Whatever shares one with an event of a changed day may count elsewhere now.
with usage_dates as (

    select * from {{ ref('int_events_version_by_day') }}

),

reported as not materialized (

    {% for model in models_of_calls(spans='stg_otel__spans') %}
        select * from {{ ref(model) }}
        {{ 'union all by name' if not loop.last }}
    {% endfor %}

),

events as not materialized (

    select
        event_date,
        call_id,
        trace_id,
        case when {{ is_near_midnight('requested_at') }} then response_ids else [] end
            as response_ids
    from reported
    -- None where every day has changed: no other is left to look for.
    where (select not bool_and(has_changed) from usage_dates)

),

changed_event_dates as (

    select distinct unnest(event_dates) as event_date
    from usage_dates
    where has_changed

),

-- Those that are gone from a changed day, too: another delivery may have to stand in.
built_requests as (

    select
        request_id,
        response_id
    from ({{ already_built('int_requests', ['request_id', 'response_id']) }}) as built
    where
        usage_date in (
            select usage_date from usage_dates
            where has_changed
        )

),

changed_ids as (

    select unnest(list_concat([call_id, trace_id], response_ids)) as id
    from events
    where event_date in (select event_date from changed_event_dates)

    union

    select unnest([request_id, response_id]) as id
    from built_requests

),

touched_events as (

    {{ events_that_share_an_id('events', 'changed_ids') }}

),

-- What it shares with others in turn: a payload joins a span, which is in a trace.
touched_ids as (

    select distinct unnest(list_concat([call_id, trace_id], response_ids)) as id
    from touched_events

),

touched_event_dates as (

    select list(distinct event_date) as event_dates
    from ({{ events_that_share_an_id('events', 'touched_ids') }}) as touched

),

-- Local days are rebuilt as a whole.
event_dates_to_rebuild as (

    select distinct unnest(event_dates) as event_date
    from usage_dates
    where has_changed or list_has_any(event_dates, (select event_dates from touched_event_dates))

),

ids_to_rebuild as (

    select distinct unnest(list_concat([call_id, trace_id], response_ids)) as id
    from events
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
    from ({{ events_that_share_an_id('events', 'ids_to_rebuild') }}) as events_to_read
    where event_date not in (select event_date from event_dates_to_rebuild)

)

select * from final
