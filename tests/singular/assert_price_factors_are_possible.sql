-- A factor is one of a tier or of a region, is not negative, ends after it begins, and fits
-- something. Each row returned is a row of seeds/price_factors.csv to be put right.
with factors as (

    select
        *,
        concat(provider, service_tier, region) as names
    from {{ ref('price_factors') }}

),

judged as (

    select
        factors.*,
        case
            when (service_tier is null) = (region is null)
                then 'is of a tier or of a region: fill one of service_tier and region'
            when factor < 0 then 'is below zero: write what the list price is multiplied by'
            when valid_to <= valid_from
                then 'ends before it begins: let valid_to lie after valid_from'
            when lower(names) <> names
                then 'fits nothing: write provider, tier and region in lower case'
            when
                not (
                    {%- for meter in meters() %}
                        '{{ meter.name }}' glob meter_pattern
                        {{- ' or' if not loop.last }}
                    {%- endfor %}
                )
                then 'fits no meter: docs/data_contracts.md names them, and * is all'
        end as problem
    from factors

)

select
    *,
    concat_ws(
        ' ', 'seeds/price_factors.csv:', provider, model_pattern, meter_pattern, service_tier,
        region, 'at', factor, problem
    ) as to_do
from judged
where problem is not null
