-- A table, though few: int_requests reads it twice, and to find them takes long.
with events as not materialized (

    select * exclude (is_request, landed_at)
    from {{ ref('int_requests_unioned') }}
    where
        is_request
        and event_date in (select event_date from {{ ref('int_event_dates_to_read') }})

),

repeated as (

    select request_id
    from events
    group by request_id
    having count(*) > 1

),

deliveries as (

    select
        *,
        source <> 'otel' as is_gateways_own,
        status <> 'failure' as is_success,
        hash(events) as any_fixed_order
    from events
    where request_id in (select request_id from repeated)

),

ranked as (

    select
        *,
        -- The gateway's own record first, the fullest of those, and for the rest any fixed order.
        row_number() over (
            partition by request_id
            order by
                is_gateways_own desc, is_client_view asc, has_usage desc, is_success desc,
                completed_at desc nulls last, input_uncached_tokens desc, any_fixed_order asc
        ) as precedence
    from deliveries

),

-- Of each column the first in that order which is known: the others fill the first one's gaps.
merged as (

    select
        request_id,
        {%- for column in [
            'source', 'prompt_id', 'user_id', 'user_name', 'team_id', 'provider', 'model', 'status',
            'error_type', 'reported_cost_usd', 'is_cache_hit', 'requested_at', 'first_token_at',
            'completed_at'
        ] + token_types() | map(attribute='tokens') | list %}
            arg_min({{ column }}, precedence) as {{ column }},
        {%- endfor %}
        arg_min(user_id, precedence) filter (where user_name is not null) as named_user_id,
        -- A session that is beyond doubt goes before one that may be made up.
        arg_min(reported_session_id, (is_session_id_doubtful, precedence)) as reported_session_id,
        bool_and(is_session_id_doubtful) filter (where reported_session_id is not null)
            as is_session_id_doubtful,
        bool_and(is_client_view) as is_client_view
    from ranked
    group by request_id

),

final as (

    select
        * exclude (named_user_id)
        -- A client may know the user by another id: that one's name is not this one's.
        replace (case when named_user_id = user_id then user_name end as user_name)
    from merged

)

select * from final
