{{ config(materialized='view') }}

with requests as (

    select
        *,
        {{ token_types('input') | map(attribute='tokens') | join(' + ') }} as input_tokens,
        {{ token_types('output') | map(attribute='tokens') | join(' + ') }} as output_tokens
    from {{ ref('int_requests') }}

),

models as (

    select * from {{ ref('dim_models') }}

),

prices as (

    select * from {{ ref('dim_prices') }}

),

priced as (

    select
        requests.*,
        requests.input_tokens + requests.output_tokens as total_tokens,
        models.ai_service,
        prices.price_id,
        case
            -- An answer from the gateway's own cache is free, and so is a failure without tokens.
            when requests.is_cache_hit then 0
            when
                requests.status = 'failure' and requests.input_tokens + requests.output_tokens = 0
                then 0
            else
                (
                    {%- for type in token_types() %}
                        {{ '+' if not loop.first }} requests.{{ type.tokens }}
                        * prices.{{ type.name }}_usd_per_million_tokens
                    {%- endfor %}
                ) * 0.000001
                + prices.request_usd
        end as cost_usd
    from requests
    inner join models
        on requests.provider = models.provider and requests.model = models.model
    left join prices
        on
            requests.provider = prices.provider
            and requests.model = prices.model
            and requests.requested_at >= prices.valid_from
            and requests.requested_at < prices.valid_to
            and cast(requests.requested_at as time) >= prices.daily_from
            and cast(requests.requested_at as time) < prices.daily_to
            and requests.input_tokens > prices.input_tokens_above
            and requests.input_tokens <= prices.input_tokens_up_to

),

final as (

    select
        request_id,
        source,
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
        team_id,
        ai_service,
        provider,
        model,
        status,
        error_type,
        is_cache_hit,
        {{ token_types() | map(attribute='tokens') | join(', ') }},
        input_tokens,
        output_tokens,
        total_tokens,
        -- Exact, without rounding: 12 decimals of the price, 6 of a million tokens.
        cast(cost_usd as decimal(38, 18)) as cost_usd,
        reported_cost_usd,
        price_id
    from priced

)

select * from final
