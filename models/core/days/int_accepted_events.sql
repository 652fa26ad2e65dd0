{{ config(materialized='incremental') }}
{{ refuse_full_refresh_without(ref('int_usage_dates')) }}

-- Built after int_requests: a day counts as built once it stands here.
-- depends_on: {{ ref('int_requests') }}
with events as (

    select
        *,
        cast({{ local_time('requested_at') }} as date) as usage_date,
        cast({{ local_time('landed_at') }} as date) as landed_date,
        left_out_as is null and not is_client_view as is_usage
    from {{ ref('int_requests_unioned') }}

),

usage_dates as (

    select * from {{ ref('int_usage_dates') }}
    where needs_rebuild and events_version is not null

),

left_out as (

    select
        usage_date,
        source,
        string_agg(left_out_as || ': ' || events, ', ' order by left_out_as) as operations_left_out
    from (
        select
            usage_date,
            source,
            left_out_as,
            count(*) as events
        from events
        where left_out_as is not null
        group by usage_date, source, left_out_as
    ) as by_operation
    group by usage_date, source

),

-- However often a span was delivered.
only_in_parents as (

    select
        usage_date,
        source,
        cast(sum(tokens) as bigint) as tokens_only_in_parents
    from (
        select
            usage_date,
            source,
            call_id,
            max(tokens_only_in_parents) as tokens
        from events
        where tokens_only_in_parents > 0
        group by usage_date, source, call_id
    ) as by_span
    group by usage_date, source

),

counted as (

    select
        usage_date,
        source,
        count(*) as events_accepted,
        count(*) filter (where not is_usage) as non_usage_events,
        -- The rebuild in the night after its day went without it.
        count(*) filter (where landed_date > usage_date + 1) as late_events
    from events
    group by usage_date, source

),

final as (

    select
        counted.*,
        coalesce(only_in_parents.tokens_only_in_parents, 0) as tokens_only_in_parents,
        left_out.operations_left_out,
        usage_dates.events_version
    from counted
    inner join usage_dates on counted.usage_date = usage_dates.usage_date
    left join left_out
        on counted.usage_date = left_out.usage_date and counted.source = left_out.source
    left join only_in_parents
        on
            counted.usage_date = only_in_parents.usage_date
            and counted.source = only_in_parents.source

)

select * from final
