-- A table, though few: int_requests reads it twice, and to find them takes long.
with deliveries as not materialized (

    select * from {{ ref('int_deliveries') }}

),

repeated as (

    select request_id
    from deliveries
    group by request_id
    having count(*) > 1

),

ranked as (

    select
        *,
        row_number() over (
            partition by request_id order by {{ best_delivery_first() }}
        ) as precedence
    from deliveries
    where request_id in (select request_id from repeated)

),

compared as (

    select
        *,
        precedence > 1
        and (
            status <> first_value(status) over first_first
            -- A client may know the model by another name.
            or (
                teller = first_value(teller) over first_first
                and model <> first_value(model) over first_first
            )
            {%- for part in ['input', 'output'] %}
                or {{ token_types(part) | map(attribute='tokens') | join(' + ') }}
                <> first_value(
                    {{ token_types(part) | map(attribute='tokens') | join(' + ') }} ignore nulls
                ) over first_first
            {%- endfor %}
        ) as is_conflicting
    from ranked
    window first_first as (partition by request_id order by precedence)

),

-- Of each column the first in that order which is known: the others fill the first one's gaps.
merged as (

    select
        request_id,
        {%- for column in [
            'source', 'response_id', 'prompt_id', 'user_id', 'end_user_id', 'user_name', 'team_id',
            'provider', 'model', 'status', 'error_type', 'reported_cost_usd', 'is_cache_hit',
            'requested_at', 'first_token_at', 'completed_at', 'service_tier', 'region',
            'web_searches'
        ] + token_types() | map(attribute='tokens') | list %}
            arg_min({{ column }}, precedence) as {{ column }},
        {%- endfor %}
        {%- for meter in finer_meters() %}
            arg_min({{ meter.name }}_tokens, precedence) as {{ meter.name }}_tokens,
        {%- endfor %}
        coalesce(arg_min(is_part_cut, precedence) filter (where has_usage), false) as is_part_cut,
        coalesce(arg_min(is_sum_of_calls, precedence) filter (where has_usage), false)
            as is_sum_of_calls,
        arg_min(user_id, precedence) filter (where user_name is not null) as named_user_id,
        -- Who knows that no person asked goes before who does not.
        arg_min(user_id, precedence) filter (
            where starts_with(user_id, '(') and not starts_with(user_id, '(service) ')
        ) as no_persons_user_id,
        -- A session that is beyond doubt goes before one that may be made up.
        arg_min(reported_session_id, (is_session_id_doubtful, precedence)) as reported_session_id,
        bool_and(is_session_id_doubtful) filter (where reported_session_id is not null)
            as is_session_id_doubtful,
        bool_and(is_client_view) as is_client_view,
        count(*) filter (where is_conflicting) as conflicting_deliveries
    from compared
    group by request_id

),

final as (

    select
        * exclude (named_user_id, no_persons_user_id)
        replace (
            coalesce(no_persons_user_id, user_id) as user_id,
            -- A client may know the user by another id: that one's name is not this one's.
            case when named_user_id = coalesce(no_persons_user_id, user_id) then user_name end
                as user_name
        )
    from merged

)

select * from final
