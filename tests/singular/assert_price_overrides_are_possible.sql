-- No override has a negative price, or a period that ends before it starts.
with overrides as (

    select * from {{ ref('price_overrides') }}

)

select * from overrides
where
    valid_to <= valid_from
    or least(*columns('_usd')) < 0
