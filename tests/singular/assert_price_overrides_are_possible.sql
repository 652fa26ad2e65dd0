-- No override has a negative price, ends before it starts, or fits nothing since it is in capitals.
-- Each row returned is a row of seeds/price_overrides.csv to be put right.
with overrides as (

    select * from {{ ref('price_overrides') }}

)

select
    *,
    concat_ws(' ', 'seeds/price_overrides.csv:', provider, model, service_tier, 'from', valid_from)
    || case
        when valid_to <= valid_from then ' ends before it begins: let valid_to lie after valid_from'
        when lower(concat(provider, service_tier)) <> concat(provider, service_tier)
            then ' fits nothing: write provider and tier in lower case'
        else ' has a price below zero: write what is paid in USD'
    end as to_do
from overrides
where
    valid_to <= valid_from
    or lower(concat(provider, service_tier)) <> concat(provider, service_tier)
    or least(*columns('_usd')) < 0
