-- A factor is one of a tier or of a region, is not negative, and ends after it begins. Each row
-- returned is a row of seeds/price_factors.csv to be put right.
with factors as (

    select * from {{ ref('price_factors') }}

)

select
    *,
    concat_ws(
        ' ', 'seeds/price_factors.csv:', provider, model_pattern, meter_pattern, service_tier,
        region, 'at', factor
    )
    || case
        when factor < 0 then ' is below zero: write what the list price is multiplied by'
        when valid_to <= valid_from then ' ends before it begins: let valid_to lie after valid_from'
        else ' is of a tier or of a region: fill one of service_tier and region'
    end as to_do
from factors
where
    (service_tier is null) = (region is null)
    or factor < 0
    or valid_to <= valid_from
