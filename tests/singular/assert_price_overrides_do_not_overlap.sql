-- Two overrides of a provider, model and tier never hold on the same day: nobody could tell which
-- of the two prices was meant. Each row returned is a row of the seed that starts before another
-- ended.
with overrides as (

    select
        provider,
        model,
        service_tier,
        coalesce(valid_from, date '1970-01-01') as valid_from,
        coalesce(valid_to, date '9999-12-31') as valid_to,
        note
    from {{ ref('price_overrides') }}

),

with_the_one_before as (

    select
        *,
        max(valid_to) over (
            partition by provider, model, service_tier
            order by valid_from, valid_to
            rows between unbounded preceding and 1 preceding
        ) as override_before_valid_to
    from overrides

)

select
    *,
    concat_ws(' ', 'seeds/price_overrides.csv:', provider, model, service_tier, 'from', valid_from)
    || ' begins before another row of it ends, on ' || override_before_valid_to
    || ': end that one with valid_to on ' || valid_from || ', or remove one of both' as to_do
from with_the_one_before
where valid_from < override_before_valid_to
