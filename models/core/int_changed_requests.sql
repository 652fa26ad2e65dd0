{{ config(materialized='view') }}

with events as (

    select * exclude (is_request, landed_at)
    from {{ ref('int_requests_unioned') }}
    where
        is_request
        and event_date in (select event_date from {{ ref('int_event_dates_to_read') }})

),

usage_dates as (

    select * from {{ ref('int_usage_dates') }}

),

-- Most requests come once; only the few that come again are sorted and merged.
repeated as (

    select request_id
    from events
    group by request_id
    having count(*) > 1

),

ranked as (

    select
        *,
        -- The gateway's own record first, the fullest of those, and for the rest any fixed order.
        row_number() over (
            partition by request_id
            order by
                is_client_view asc, source = 'otel', not has_usage, status = 'failure',
                completed_at desc nulls last, input_uncached_tokens desc, hash(events)
        ) as precedence
    from events
    where request_id in (select request_id from repeated)

),

-- Of each column the first in that order which is known: the others fill the first one's gaps.
merged as (

    select
        request_id,
        {%- for column in [
            'source', 'prompt_id', 'user_id', 'user_name', 'team_id', 'provider', 'model', 'status',
            'error_type', 'reported_cost_usd', 'is_cache_hit', 'requested_at', 'first_token_at',
            'completed_at', 'input_uncached_tokens', 'cache_read_tokens', 'cache_write_tokens',
            'output_tokens_without_reasoning', 'reasoning_tokens'
        ] %}
            arg_min({{ column }}, precedence) as {{ column }},
        {%- endfor %}
        arg_min(user_id, precedence) filter (user_name is not null) as named_user_id,
        -- A session that is beyond doubt goes before one that may be made up.
        arg_min(reported_session_id, (is_session_id_doubtful, precedence)) as reported_session_id,
        bool_and(is_session_id_doubtful) filter (reported_session_id is not null)
            as is_session_id_doubtful,
        bool_and(is_client_view) as is_client_view
    from ranked
    group by request_id

),

requests as (

    select * exclude (has_usage, event_date) from events
    where request_id not in (select request_id from repeated)

    union all by name

    select
        * exclude (named_user_id)
        -- A client may know the user by another id: that one's name is not this one's.
        replace (case when named_user_id = user_id then user_name end as user_name)
    from merged

),

localized as (

    select
        requests.*,
        {{ local_time('requested_at') }} as requested_at_local
    from requests
    -- What only the client has seen of a gateway's traffic is no request of its own.
    where not is_client_view

),

final as (

    select
        localized.*,
        usage_dates.usage_date,
        usage_dates.version
    from localized
    inner join usage_dates on cast(localized.requested_at_local as date) = usage_dates.usage_date
    where
        usage_dates.needs_rebuild
        -- A day without a version counts from raw/ no more.
        and usage_dates.version is not null

)

select * from final
