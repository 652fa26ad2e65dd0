-- No two price cells of a provider, model, tier and region hold the same moment and size, so that a
-- request finds one price and not two.
with prices as (

    select * from {{ ref('dim_prices') }}

)

select
    prices.price_id,
    other_prices.price_id as overlapping_price_id
from prices
inner join prices as other_prices
    on
        prices.provider = other_prices.provider
        and prices.model = other_prices.model
        and prices.service_tier = other_prices.service_tier
        and prices.region = other_prices.region
        and prices.price_id < other_prices.price_id
        and prices.valid_from < other_prices.valid_to
        and prices.valid_to > other_prices.valid_from
        and prices.daily_from < other_prices.daily_to
        and prices.daily_to > other_prices.daily_from
        and prices.input_tokens_above < other_prices.input_tokens_up_to
        and prices.input_tokens_up_to > other_prices.input_tokens_above
