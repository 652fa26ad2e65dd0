{{ config(materialized='view') }}

with requests as (

    select
        *,
        {{ token_types('input') | map(attribute='tokens') | join(' + ') }} as input_tokens,
        {{ token_types('output') | map(attribute='tokens') | join(' + ') }} as output_tokens,
        -- Nobody knows how large each call of a sum was: all are priced as small ones.
        case when is_sum_of_calls then 0 else coalesce(input_tokens, 0) end as size_in_tokens
    from {{ ref('int_requests') }}

),

models as (

    select * from {{ ref('dim_models') }}

),

prices as (

    select * from {{ ref('dim_prices') }}

),

teams as (

    select * from {{ ref('int_teams') }}

),

priced as (

    select
        requests.* exclude (team_id),
        coalesce(teams.team_id, requests.team_id) as team_id,
        requests.input_tokens + requests.output_tokens as total_tokens,
        models.ai_service,
        prices.price_id,
        -- In millionths of a dollar; null if a meter that has tokens, or searches, have no price.
        {%- for meter in meters() %}
            case
                when coalesce({{ meter.tokens }}, 0) = 0 then 0
                else ({{ meter.tokens }}) * prices.{{ meter.name }}_usd_per_million_tokens
            end +
        {%- endfor %}
        case
            when coalesce(requests.web_searches, 0) = 0 then 0
            else requests.web_searches * prices.web_search_usd * 1000000
        end
        + prices.request_usd * 1000000 as price_in_millionths
    from requests
    inner join models
        on requests.provider = models.provider and requests.model = models.model
    left join prices
        on
            requests.provider = prices.provider
            and requests.model = prices.model
            and coalesce(requests.service_tier, 'standard') = prices.service_tier
            and coalesce(requests.region, '') = prices.region
            and requests.requested_at >= prices.valid_from
            and requests.requested_at < prices.valid_to
            and cast(requests.requested_at as time) >= prices.daily_from
            and cast(requests.requested_at as time) < prices.daily_to
            and requests.size_in_tokens > prices.input_tokens_above
            and requests.size_in_tokens <= prices.input_tokens_up_to
    left join teams on {{ is_in_team('teams', 'requests') }}

),

judged as (

    select
        *,
        case
            -- An answer from the gateway's own cache is free, and so is a failure without tokens. A
            -- stream that broke off had some, whoever tells.
            when is_cache_hit then 'free'
            when status = 'failure' and total_tokens = 0 then 'free'
            when status = 'failure' and total_tokens is null and first_token_at is null then 'free'
            when total_tokens is null then 'no usage reported'
            when price_id is null then 'no known price'
            when price_in_millionths is null then 'partly priced'
            else 'priced'
        end as price_status
    from priced

),

final as (

    select
        request_id,
        source,
        response_id,
        prompt_id,
        session_id,
        session_id_source,
        usage_date,
        usage_hour,
        requested_at,
        first_token_at,
        completed_at,
        {{ milliseconds_between('requested_at', 'completed_at') }} as response_time_ms,
        {{ milliseconds_between('requested_at', 'first_token_at') }} as time_to_first_token_ms,
        user_id,
        end_user_id,
        team_id,
        ai_service,
        provider,
        model,
        status,
        error_type,
        is_cache_hit,
        service_tier,
        region,
        is_sum_of_calls,
        {{ token_types() | map(attribute='tokens') | join(', ') }},
        {%- for meter in finer_meters() %}
            {{ meter.name }}_tokens,
        {%- endfor %}
        web_searches,
        input_tokens,
        output_tokens,
        total_tokens,
        -- Rounded once, before anything is added up.
        cast(
            case price_status
                when 'free' then 0
                when 'priced' then {{ rounded_to_6('price_in_millionths') }} * 0.000001
            end as decimal(38, 12)
        ) as cost_usd,
        price_status,
        reported_cost_usd,
        price_id,
        conflicting_deliveries,
        is_part_cut
    from judged

)

select * from final
