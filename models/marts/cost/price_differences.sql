with comparisons as (

    select * from {{ ref('int_price_comparisons') }}

),

prices as (

    select * from {{ ref('dim_prices') }}

),

unpriced as (

    select
        usage_date,
        provider,
        model,
        {{ sum_not_told() }}
    from {{ ref('int_usage_hourly') }}
    group by usage_date, provider, model

),

suppositions as (

    select * from {{ ref('int_price_suppositions') }}

),

compared as (

    select
        comparisons.usage_date,
        comparisons.provider,
        comparisons.model,
        cast(sum(comparisons.requests) as bigint) as requests,
        cast(coalesce(sum(comparisons.requests) filter (where is_sum_of_calls), 0) as bigint)
            as sums_of_calls,
        sum(comparisons.cost_usd) as list_cost_usd,
        sum(comparisons.reported_cost_usd) as reported_cost_usd,
        sum(comparisons.reported_cost_usd) / nullif(sum(comparisons.cost_usd), 0) as ratio,
        bool_or(prices.price_source = 'override') as has_own_price,
        bool_or(
            comparisons.is_sum_of_calls and prices.input_tokens_up_to < 9223372036854775807
        ) as has_larger_sums
    from comparisons
    inner join prices using (price_id)
    group by comparisons.usage_date, comparisons.provider, comparisons.model

),

-- Which supposition comes nearest to what was charged, if one comes near.
explained as (

    select
        compared.usage_date,
        compared.provider,
        compared.model,
        arg_min(
            suppositions.cause, abs(suppositions.usd - compared.reported_cost_usd)
        ) as cause
    from compared
    inner join suppositions using (usage_date, provider, model)
    where
        abs(suppositions.usd - compared.reported_cost_usd)
        <= 0.02 * compared.reported_cost_usd
    group by compared.usage_date, compared.provider, compared.model

),

final as (

    select
        usage_date,
        provider,
        model,
        requests,
        sums_of_calls,
        list_cost_usd,
        reported_cost_usd,
        ratio,
        case
            when abs(reported_cost_usd - list_cost_usd) <= 0.1 * list_cost_usd then null
            when has_larger_sums and ratio > 1 then 'sums of calls are priced as small ones'
            when explained.cause is not null then explained.cause
            when has_own_price then 'the organisation has a price of its own'
            else 'unknown'
        end as likely_cause,
        unpriced.unpriced_requests,
        unpriced.unpriced_tokens,
        unpriced.requests_without_usage
    from compared
    inner join unpriced using (usage_date, provider, model)
    left join explained using (usage_date, provider, model)

)

select * from final
