-- Of two factors that hold on the same day for the same tier or region one says more exactly for
-- which models or meters: else nobody could tell which was meant. Each row returned is a pair of
-- rows of seeds/price_factors.csv; `to_do` says what to change.
with factors as (

    select
        *,
        coalesce(valid_from, date '1970-01-01') as holds_from,
        coalesce(valid_to, date '9999-12-31') as holds_to,
        row_number() over (
            order by
                provider, model_pattern, meter_pattern, service_tier, region, valid_from, factor
        ) as place
    from {{ ref('price_factors') }}

),

prices as (

    select distinct
        provider,
        model,
        meter
    from {{ ref('int_list_prices') }}

),

pairs as (

    select
        one.*,
        other.model_pattern as other_model_pattern,
        other.meter_pattern as other_meter_pattern,
        other.factor as other_factor,
        other.source as other_source
    from factors as one
    inner join factors as other
        on
            one.place < other.place
            and one.provider = other.provider
            and one.service_tier is not distinct from other.service_tier
            and (
                one.region is not distinct from other.region
                or one.region glob other.region
                or other.region glob one.region
            )
            and one.holds_from < other.holds_to
            and one.holds_to > other.holds_from
            and length(one.model_pattern) = length(other.model_pattern)
            and length(one.meter_pattern) = length(other.meter_pattern)

)

select
    *,
    concat_ws(
        ' ', 'seeds/price_factors.csv:', provider, model_pattern, meter_pattern, service_tier,
        region, 'at', factor, 'and', other_model_pattern, other_meter_pattern, 'at', other_factor
    )
    || ' hold on the same days: end one before the other begins, or make a pattern longer' as to_do
from pairs
where
    (model_pattern = other_model_pattern and meter_pattern = other_meter_pattern)
    or exists (
        select 1 from prices
        where
            prices.provider = pairs.provider
            and prices.model glob pairs.model_pattern
            and prices.model glob pairs.other_model_pattern
            and prices.meter glob pairs.meter_pattern
            and prices.meter glob pairs.other_meter_pattern
    )
