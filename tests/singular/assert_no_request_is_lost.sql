-- There are as many requests as different ids in the events, counted here in another way than the
-- models count them.
with events as (

    select
        request_id,
        is_request and not is_client_view as is_usage,
        {{ is_live('cast(' ~ local_time('requested_at') ~ ' as date)') }} as is_live
    from {{ ref('int_requests_unioned') }}

),

request_ids as (

    select distinct request_id from events
    where is_usage and is_live

),

past_retention as (

    select request_id from events
    where not is_live

),

-- A request that was also reported before midnight of the last day past retention may count there.
expected as (

    select
        count(*) as at_most,
        count(*) filter (where request_id not in (select request_id from past_retention))
            as at_least
    from request_ids

),

counted as (

    select count(*) as requests from {{ ref('fct_requests') }}

)

select
    counted.requests,
    expected.at_least,
    expected.at_most
from counted
cross join expected
where counted.requests not between expected.at_least and expected.at_most
