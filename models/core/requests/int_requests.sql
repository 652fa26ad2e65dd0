{{ config(materialized='incremental') }}
{{ refuse_full_refresh_without(ref('int_usage_dates')) }}

-- Not materialized: rows are wide, and each is read twice in less time than it is kept.
with requests as not materialized (

    select * from {{ ref('int_requests_to_rebuild') }}

),

-- A doubtful session id that no other request of the day shares is one that was made up for it.
made_up_session_ids as (

    select
        reported_session_id,
        usage_date
    from requests
    where
        reported_session_id in (
            select doubtful.reported_session_id from requests as doubtful
            where doubtful.is_session_id_doubtful
        )
    group by reported_session_id, usage_date
    having count(*) = 1 and bool_and(is_session_id_doubtful)

),

with_reported_session as not materialized (

    select
        *,
        case
            when
                is_session_id_doubtful
                and (reported_session_id, usage_date) in (from made_up_session_ids)
                then null
            else reported_session_id
        end as known_session_id
    from requests

),

-- Without a reported id a user's requests are one session until a pause, or the end of the day.
pauses as (

    select
        request_id,
        user_id,
        usage_date,
        requested_at,
        requested_at - lag(requested_at) over one_users_day as pause
    from with_reported_session
    where known_session_id is null and user_id is not null
    window one_users_day as (partition by user_id, usage_date order by requested_at, request_id)

),

derived_sessions as (

    select
        request_id,
        max(
            case
                when
                    pause is null
                    or pause > interval '{{ setting("session_idle_minutes") }} minutes'
                    then requested_at
            end
        ) over one_users_day_so_far as session_started_at
    from pauses
    window one_users_day_so_far as (
        partition by user_id, usage_date
        order by requested_at, request_id
        rows between unbounded preceding and current row
    )

),

with_session as (

    select
        with_reported_session.*,
        case
            when known_session_id is not null then known_session_id
            -- Nobody knows whose request it was, so it is a session of its own.
            when user_id is null then {{ known_user('user_id') }} || '/' || request_id
            else user_id || '/' || strftime(session_started_at, '%Y%m%dT%H%M%S.%f')
        end as session_id,
        case when known_session_id is null then 'derived' else 'reported' end as session_id_source
    from with_reported_session
    left join derived_sessions using (request_id)

),

final as (

    select
        -- ids
        request_id,
        source,
        response_id,
        prompt_id,
        session_id,
        session_id_source,
        user_id,
        end_user_id,
        user_name,
        team_id,

        -- text
        coalesce(provider, 'unknown') as provider,
        model,
        status,
        case when status = 'failure' then coalesce(error_type, 'unknown') end as error_type,
        service_tier,
        region,

        -- numbers; tokens are null where no event tells any
        {{ token_types() | map(attribute='tokens') | join(', ') }},
        {%- for meter in finer_meters() %}
            {{ meter.name }}_tokens,
        {%- endfor %}
        web_searches,
        reported_cost_usd,
        conflicting_deliveries,

        -- booleans
        is_cache_hit,
        is_part_cut,
        is_sum_of_calls,

        -- times; two clocks may disagree about which came first
        usage_date,
        date_trunc('hour', requested_at_local) as usage_hour,
        requested_at,
        case when first_token_at >= requested_at then first_token_at end as first_token_at,
        case when completed_at >= requested_at then completed_at end as completed_at,

        -- what the day was built from, and by which build
        events_version,
        '{{ run_started_at }}' as built_at
    from with_session

)

select * from final
