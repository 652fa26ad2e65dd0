{{ config(materialized='incremental', incremental_strategy='replace_usage_dates') }}

-- depends_on: {{ ref('int_event_dates_to_read') }}

with events as (

    select * exclude (is_request, landed_at)
    from {{ ref('int_requests_unioned') }}
    where
        is_request
        {% if is_incremental() %}
        and event_date in (select event_date from {{ ref('int_event_dates_to_read') }})
        {% endif %}

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
                is_client_view, source = 'otel', not has_usage, status = 'failure',
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
            'source', 'prompt_id', 'reported_session_id', 'is_session_id_doubtful', 'user_id',
            'user_name', 'team_id', 'provider', 'model', 'status', 'error_type',
            'reported_cost_usd', 'is_cache_hit', 'requested_at', 'first_token_at', 'completed_at',
            'input_uncached_tokens', 'cache_read_tokens', 'cache_write_tokens',
            'output_tokens_without_reasoning', 'reasoning_tokens'
        ] %}
        arg_min({{ column }}, precedence) as {{ column }},
        {%- endfor %}
        bool_and(is_client_view) as is_client_view
    from ranked
    group by request_id

),

requests as (

    select * exclude (has_usage, event_date) from events
    where request_id not in (select request_id from repeated)

    union all by name

    select * from merged

),

localized as (

    select
        requests.*,
        {{ local_time('requested_at') }} as requested_at_local
    from requests
    -- What only the client has seen of a gateway's traffic is no request of its own.
    where not is_client_view

),

dated as (

    select
        localized.*,
        usage_dates.usage_date,
        usage_dates.version
    from localized
    inner join usage_dates on cast(localized.requested_at_local as date) = usage_dates.usage_date
    {% if is_incremental() %}
    where usage_dates.needs_rebuild
    {% endif %}

),
-- A doubtful session id that no other request of the day shares is one that was made up for it.
made_up_session_ids as (

    select
        reported_session_id,
        usage_date
    from dated
    where is_session_id_doubtful
    group by reported_session_id, usage_date
    having count(*) = 1

),

with_reported_session as (

    select
        *,
        case
            when
                is_session_id_doubtful
                and (reported_session_id, usage_date) in (from made_up_session_ids)
                then null
            else reported_session_id
        end as known_session_id
    from dated

),

-- Without a reported id a user's requests are one session until a pause, or the end of the day.
after_pauses as (

    select
        *,
        requested_at
        - lag(requested_at) over (partition by user_id, usage_date order by requested_at, request_id)
        <= interval '{{ setting("session_idle_minutes") }} minutes' is true as goes_on
    from with_reported_session
    where known_session_id is null and user_id is not null

),

with_derived_session as (

    select
        * exclude (goes_on),
        max(case when not goes_on then requested_at end) over (
            partition by user_id, usage_date
            order by requested_at, request_id
            rows between unbounded preceding and current row
        ) as session_started_at
    from after_pauses

),

with_session as (

    select
        *,
        known_session_id as session_id,
        'reported' as session_id_source
    from with_reported_session
    where known_session_id is not null

    union all by name

    select
        *,
        user_id || '/' || strftime(session_started_at, '%Y%m%dT%H%M%S.%f') as session_id,
        'derived' as session_id_source
    from with_derived_session

    union all by name

    -- Nobody knows whose request it was, so it is a session of its own.
    select
        *,
        request_id as session_id,
        'derived' as session_id_source
    from with_reported_session
    where known_session_id is null and user_id is null

),

final as (

    select
        -- ids
        request_id,
        source,
        prompt_id,
        session_id,
        session_id_source,
        user_id,
        user_name,
        team_id,

        -- text
        coalesce(provider, 'unknown') as provider,
        model,
        status,
        case when status = 'failure' then error_type end as error_type,

        -- numbers
        coalesce(input_uncached_tokens, 0) as input_uncached_tokens,
        coalesce(cache_read_tokens, 0) as cache_read_tokens,
        coalesce(cache_write_tokens, 0) as cache_write_tokens,
        coalesce(output_tokens_without_reasoning, 0) as output_tokens_without_reasoning,
        coalesce(reasoning_tokens, 0) as reasoning_tokens,
        reported_cost_usd,

        -- booleans
        is_cache_hit,

        -- times; two clocks may disagree about which came first
        usage_date,
        date_trunc('hour', requested_at_local) as usage_hour,
        requested_at,
        case when first_token_at >= requested_at then first_token_at end as first_token_at,
        case when completed_at >= requested_at then completed_at end as completed_at,

        -- what the day was built from, and by which build
        version,
        '{{ run_started_at }}' as built_at
    from with_session

)

select * from final
