with list_prices as (

    select * from {{ ref('int_list_prices') }}

),

price_overrides as (

    select
        *,
        input_usd_per_million_tokens as input_uncached_usd_per_million_tokens
    from {{ ref('price_overrides') }}

),

overrides as (

    select
        provider,
        model,
        service_tier,
        coalesce(valid_from, date '1970-01-01') as valid_from,
        coalesce(valid_to, date '9999-12-31') as valid_to,
        -- A meter without a price costs what its type does, and that what plain input or output
        -- does.
        unnest(
            [
                {%- for meter in meters() %}
                    {
                        'meter': '{{ meter.name }}',
                        'usd': coalesce(
                            {{ meter.name }}_usd_per_million_tokens,
                            {{ meter.type }}_usd_per_million_tokens,
                            {{ meter.part_of }}_usd_per_million_tokens
                        )
                    },
                {%- endfor %}
                { 'meter': 'web_search', 'usd': web_search_usd },
                { 'meter': 'request', 'usd': 0 }
            ],
            recursive := true
        )
    from price_overrides

),

factors as (

    select
        *,
        coalesce(valid_from, date '1970-01-01') as holds_from,
        coalesce(valid_to, date '9999-12-31') as holds_to
    from {{ ref('price_factors') }}

),

-- An override replaces the list price, and one of the tier that of all tiers.
chosen as (

    select
        list_prices.* replace (
            case when overrides.provider is null then list_prices.usd else overrides.usd end as usd,
            case
                when overrides.provider is null then list_prices.is_tier_in_price
                else overrides.service_tier is not null
            end as is_tier_in_price,
            overrides.provider is null and list_prices.is_region_in_price as is_region_in_price
        ),
        case when overrides.provider is null then 'list' else 'override' end as price_source
    from list_prices
    left join overrides
        on
            list_prices.provider = overrides.provider
            and list_prices.model = overrides.model
            and list_prices.service_tier
            = coalesce(overrides.service_tier, list_prices.service_tier)
            and list_prices.meter = overrides.meter
            and list_prices.valid_from >= overrides.valid_from
            and list_prices.valid_to <= overrides.valid_to
    qualify
        row_number() over (
            partition by
                list_prices.provider, list_prices.model, list_prices.service_tier,
                list_prices.region, list_prices.valid_from, list_prices.daily_from,
                list_prices.input_tokens_above, list_prices.meter
            order by overrides.service_tier nulls last
        ) = 1

),

-- What a tier or a region costs beside that, where the price does not have it already: of several
-- factors the one that says most exactly for what.
with_factors as (

    select
        chosen.*,
        arg_max(
            factors.factor, (length(factors.model_pattern), length(factors.meter_pattern))
        ) filter (where factors.service_tier is not null) as tier_factor,
        arg_max(
            factors.factor,
            (length(factors.model_pattern), length(factors.meter_pattern), length(factors.region))
        ) filter (where factors.region is not null) as region_factor
    from chosen
    left join factors
        on
            chosen.provider = factors.provider
            and chosen.model glob factors.model_pattern
            and chosen.meter glob factors.meter_pattern
            and chosen.meter not in ('web_search', 'request')
            and chosen.valid_from >= factors.holds_from
            and chosen.valid_to <= factors.holds_to
            and (
                (chosen.service_tier = factors.service_tier and not chosen.is_tier_in_price)
                or (chosen.region glob factors.region and not chosen.is_region_in_price)
            )
    group by all

),

-- What is asked for at a tier of which nobody knows the price has none.
factored as (

    select
        * replace (
            case
                when
                    meter in ('web_search', 'request')
                    or service_tier = 'standard'
                    or is_tier_in_price
                    or price_source = 'override'
                    or tier_factor is not null
                    then usd
            end as usd
        )
    from with_factors

),

prices as (

    select
        provider,
        model,
        service_tier,
        region,
        price_source,
        valid_from,
        valid_to,
        daily_from,
        daily_to,
        input_tokens_above,
        input_tokens_up_to,
        {%- for meter in meters() %}
            cast(
                max(
                    cast(usd * coalesce(tier_factor, 1) as decimal(18, 12))
                    * coalesce(region_factor, 1)
                ) filter (where meter = '{{ meter.name }}') as decimal(18, 12)
            ) as {{ meter.name }}_usd_per_million_tokens,
        {%- endfor %}
        cast(max(usd) filter (where meter = 'web_search') as decimal(18, 9)) as web_search_usd,
        cast(max(usd) filter (where meter = 'request') as decimal(18, 9)) as request_usd
    from factored
    group by all
    having count(usd) filter (where meter not in ('web_search', 'request')) > 0

),

final as (

    select
        concat_ws(
            ' | ',
            provider,
            model,
            case when service_tier <> 'standard' then service_tier end,
            case when region <> '' then 'in ' || region end,
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
