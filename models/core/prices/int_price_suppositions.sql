{{ config(materialized='view') }}

with comparisons as (

    select * from {{ ref('int_price_comparisons') }}

),

prices as (

    select * from {{ ref('dim_prices') }}

),

supposed as (

    select
        comparisons.usage_date,
        comparisons.provider,
        comparisons.model,
        unnest(
            [
                { 'cause': 'nothing was charged', 'usd': 0 },
                {
                    'cause': case
                        when service_tier = 'standard' then 'half was charged, as for batch or flex'
                        else 'the service tier was not charged for'
                    end,
                    'usd': cost_usd * 0.5
                },
                {
                    'cause': case
                        when service_tier = 'standard' then 'double was charged, as for priority'
                        else 'the service tier was charged as a standard one'
                    end,
                    'usd': cost_usd * 2
                },
                {
                    'cause': 'what was read from the cache was charged as plain input',
                    'usd': cost_usd + {{ charged_as('cache_read', 'input_uncached') }}
                },
                {
                    'cause': 'what was written to the cache was charged as plain input',
                    'usd': cost_usd
                    + {{ charged_as('cache_write', 'input_uncached') }}
                    + {{ charged_as('cache_write_5m', 'input_uncached') }}
                    + {{ charged_as('cache_write_1h', 'input_uncached') }}
                },
                {
                    'cause': 'a cache of an hour was charged, and another or none told',
                    'usd': cost_usd
                    + {{ charged_as('cache_write', 'cache_write_1h') }}
                    + {{ charged_as('cache_write_5m', 'cache_write_1h') }}
                },
                {
                    'cause': 'a cache of an hour was charged as one of five minutes',
                    'usd': cost_usd + {{ charged_as('cache_write_1h', 'cache_write_5m') }}
                },
                {
                    'cause': 'audio was charged as text',
                    'usd': cost_usd
                    + {{ charged_as('input_audio', 'input_uncached') }}
                    + {{ charged_as('cache_audio_read', 'cache_read') }}
                    + {{ charged_as('output_audio', 'output') }}
                },
                {
                    'cause': 'images were charged as text',
                    'usd': cost_usd
                    + {{ charged_as('input_image', 'input_uncached') }}
                    + {{ charged_as('output_image', 'output') }}
                },
                {
                    'cause': 'web searches were not charged',
                    'usd': cost_usd - coalesce(web_searches * web_search_usd, 0)
                },
                {
                    'cause': 'reasoning was not charged',
                    'usd': cost_usd + {{ charged_as('reasoning') }}
                },
                {
                    'cause': 'reasoning was charged twice',
                    'usd': cost_usd - {{ charged_as('reasoning') }}
                }
            ],
            recursive := true
        )
    from comparisons
    inner join prices using (price_id, provider, model)

),

final as (

    select
        usage_date,
        provider,
        model,
        cause,
        sum(usd) as usd
    from supposed
    group by usage_date, provider, model, cause

)

select * from final
