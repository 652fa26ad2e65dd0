-- No override has a negative price, or a period that ends before it starts. Each row returned is a
-- row of seeds/price_overrides.csv to be put right.
with overrides as (

    select * from {{ ref('price_overrides') }}

)

select
    *,
    concat_ws(' ', 'seeds/price_overrides.csv:', provider, model, service_tier, 'from', valid_from)
    || case
        when valid_to <= valid_from then ' ends before it begins: let valid_to lie after valid_from'
        else ' has a price below zero: write what is paid in USD'
    end as to_do
from overrides
where
    valid_to <= valid_from
    or least(*columns('_usd')) < 0
