-- A factor is one of a tier or of a region, is not negative, and ends after it begins. Each row
-- returned is a row of seeds/price_factors.csv to be put right.
with factors as (

    select * from {{ ref('price_factors') }}

)

select * from factors
where
    (service_tier is null) = (region is null)
    or factor < 0
    or valid_to <= valid_from
