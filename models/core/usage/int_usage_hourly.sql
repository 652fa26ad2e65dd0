{{ config(materialized='incremental') }}

with requests as (

    {{ requests_to_add_up() }}

),

added_up as (

    select
        usage_date,
        requests_version,
        usage_hour,
        {{ known_user('requests.user_id') }} as user_id,
        requests.team_id,
        ai_service,
        provider,
        model,
        source,
        price_id,
        is_sum_of_calls,
        {{ is_compared() }} as is_compared,
        count(*) as requests,
        count(*) filter (where status = 'success') as responses,
        count(*) filter (where status = 'failure') as failed_requests,
        count(*) filter (where requests.user_id is null) as requests_without_user,
        count(*) filter (where session_id_source = 'derived') as requests_without_session,
        cast(sum(conflicting_deliveries) as bigint) as conflicting_deliveries,
        count(*) filter (where is_part_cut) as parts_cut,
        {%- for tokens in [
            'input_tokens', 'output_tokens', 'total_tokens'
        ] + token_types() | map(attribute='tokens') | list %}
            cast(sum({{ tokens }}) as bigint) as {{ tokens }},
        {%- endfor %}
        {{ count_not_told() }},
        sum(response_time_ms) filter (where status = 'success') as total_response_time_ms,
        count(response_time_ms) filter (where status = 'success') as timed_responses,
        {{ response_sums() }},
        sum(cost_usd) as cost_usd,
        sum(reported_cost_usd) as reported_cost_usd
    from requests
    group by
        usage_date, requests_version, usage_hour, {{ known_user('requests.user_id') }},
        requests.team_id, ai_service, provider, model, source, price_id, is_sum_of_calls,
        is_compared
    {{ and_archived(user_columns=['user_id'], money_columns=['cost_usd']) }}

),

-- What was archived before teams and prices were kept has none.
final as (

    select
        * replace (
            {{ known_team('team_id') }} as team_id,
            coalesce(price_id, '(no known price)') as price_id,
            coalesce(is_sum_of_calls, false) as is_sum_of_calls,
            coalesce(is_compared, false) as is_compared
        )
    from added_up

)

select * from final
