with list_prices as (

    select * from {{ ref('int_list_prices') }}

),

price_overrides as (

    select
        *,
        input_usd_per_million_tokens as input_uncached_usd_per_million_tokens
    from {{ ref('price_overrides') }}

),

override_prices as (

    select
        provider,
        model,
        'override' as price_source,
        cast(coalesce(valid_from, date '1970-01-01') as timestamp) as valid_from,
        cast(coalesce(valid_to, date '9999-12-31') as timestamp) as valid_to,
        time '00:00:00' as daily_from,
        time '24:00:00' as daily_to,
        -1 as input_tokens_above,
        9223372036854775807 as input_tokens_up_to,
        -- What has no price of its own costs what plain input or output costs.
        {%- for type in token_types() %}
            cast(
                coalesce(
                    {{ type.name }}_usd_per_million_tokens,
                    {{ type.part_of }}_usd_per_million_tokens
                ) as decimal(18, 12)
            ) as {{ type.name }}_usd_per_million_tokens,
        {%- endfor %}
        cast(0 as decimal(18, 9)) as request_usd
    from price_overrides

),

-- Where overrides leave the list price in force: before the first, and after each until the next.
-- Two overrides without a day between them leave a gap of no length, which the next step drops.
gaps_between_overrides as (

    select
        provider,
        model,
        timestamp '1970-01-01' as gap_from,
        min(valid_from) as gap_to
    from override_prices
    group by provider, model

    union all

    select
        provider,
        model,
        max(valid_to) over (
            partition by provider, model order by valid_from
        ) as gap_from,
        lead(valid_from, 1, timestamp '9999-12-31') over (
            partition by provider, model order by valid_from
        ) as gap_to
    from override_prices

),

list_prices_between_overrides as (

    select
        list_prices.* replace (
            greatest(list_prices.valid_from, gaps.gap_from) as valid_from,
            least(list_prices.valid_to, gaps.gap_to) as valid_to
        ),
        'list' as price_source
    from list_prices
    left join gaps_between_overrides as gaps
        on
            list_prices.provider = gaps.provider
            and list_prices.model = gaps.model

),

prices as (

    select * from override_prices

    union all by name

    select * from list_prices_between_overrides
    where valid_from < valid_to

),

final as (

    select
        concat_ws(
            ' | ',
            provider,
            model,
            price_source,
            'from ' || cast(cast(valid_from as date) as varchar),
            case
                when daily_from > time '00:00:00' or daily_to < time '24:00:00'
                    then concat_ws(
                        ' ', cast(daily_from as varchar), 'to', cast(daily_to as varchar), 'UTC'
                    )
            end,
            case
                when input_tokens_above >= 0
                    then 'above ' || cast(input_tokens_above as varchar) || ' input tokens'
            end
        ) as price_id,
        *
    from prices

)

select * from final
