-- Calls that are part of a request that bears another id: those of which a witness says that a
-- better teller tells of them, too, and those whose id another source uses for another call. See
-- docs/identity.md.
with events as not materialized (

    select
        *,
        input_uncached_tokens + cache_read_tokens + cache_write_tokens as input_tokens,
        output_tokens_without_reasoning + reasoning_tokens as output_tokens
    from {{ ref('int_requests_unioned') }}
    where left_out_as is null

),

-- Where there is but one teller, as with one gateway, nothing can be joined, and nothing is looked
-- for among millions.
tellers as (

    select min(teller) <> max(teller) as are_several from events

),

witnesses as not materialized (

    select
        source,
        call_id,
        unnest(response_ids) as witness
    from events
    where (select are_several from tellers)

),

shared_witnesses as (

    select witness from witnesses
    group by witness
    having min(call_id) <> max(call_id) or min(source) <> max(source)

),

witnessed_calls as (

    select distinct * from witnesses
    where witness in (select witness from shared_witnesses)

),

ranked_deliveries as (

    select
        *,
        {{ teller_rank() }} as teller_rank,
        row_number() over (
            partition by source, call_id order by {{ best_delivery_first() }}
        ) as precedence
    from events
    where (source, call_id) in (select (source, call_id) from witnessed_calls)

),

calls as (

    select
        witnessed_calls.witness,
        ranked_deliveries.*
    from ranked_deliveries
    inner join witnessed_calls using (source, call_id)
    where ranked_deliveries.precedence = 1

),

-- Each call, and the calls of better tellers that may be the same one. The best teller first, and
-- of its calls the nearest in time: of several tries one that ended alike, since a gateway in front
-- of another sees one request, from the first try on.
possible_joins as (

    select
        calls.source,
        calls.call_id,
        calls.teller,
        calls.requested_at,
        better.source as better_source,
        better.call_id as better_call_id,
        row_number() over (
            partition by calls.source, calls.call_id
            order by
                better.teller_rank, better.teller,
                calls.status <> better.status,
                abs(date_diff('microsecond', calls.requested_at, better.requested_at)),
                better.call_id
        ) as choice,
        calls.status <> better.status as ended_otherwise,
        abs(date_diff('microsecond', calls.requested_at, better.requested_at)) as apart_us
    from calls
    inner join calls as better
        on
            calls.witness = better.witness
            and (calls.teller_rank, calls.teller) > (better.teller_rank, better.teller)
            and {{ is_alike('calls', 'better') }}

),

-- Of several calls of one teller that would join the same call, the nearest.
joins as (

    select * from possible_joins
    where choice = 1
    qualify row_number() over (
        partition by better_source, better_call_id, teller
        order by ended_otherwise, apart_us, call_id
    ) = 1

),

-- What a call has joined may itself have joined another. There are four kinds of tellers.
joined as (

    select
        joins.source,
        joins.call_id,
        coalesce(third.better_source, second.better_source, joins.better_source) as best_source,
        coalesce(third.better_call_id, second.better_call_id, joins.better_call_id) as best_call_id
    from joins
    left join joins as second
        on joins.better_source = second.source and joins.better_call_id = second.call_id
    left join joins as third
        on second.better_source = third.source and second.better_call_id = third.call_id

),

ids_of_several_sources as (

    select call_id
    from events
    where (select are_several from tellers)
    group by call_id
    having min(source) <> max(source)

),

renamed as (

    select distinct
        source,
        call_id,
        call_id || '/' || source as request_id
    from events
    where
        source <> 'litellm'
        and call_id in (select call_id from ids_of_several_sources)
        and (source, call_id) not in (select (source, call_id) from joined)

),

final as (

    select
        joined.source,
        joined.call_id,
        coalesce(renamed.request_id, joined.best_call_id) as request_id
    from joined
    left join renamed
        on joined.best_source = renamed.source and joined.best_call_id = renamed.call_id

    union all

    select * from renamed

)

select * from final
