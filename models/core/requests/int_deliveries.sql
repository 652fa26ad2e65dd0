{{ config(materialized='view') }}

with events as (

    select * exclude (left_out_as, tokens_only_in_parents, response_ids)
    from {{ ref('int_requests_unioned') }}
    where left_out_as is null

),

joined_calls as (

    select * from {{ ref('int_joined_calls') }}

),

final as (

    select
        coalesce(joined_calls.request_id, events.call_id) as request_id,
        events.*
    from events
    left join joined_calls
        on events.source = joined_calls.source and events.call_id = joined_calls.call_id

)

select * from final
