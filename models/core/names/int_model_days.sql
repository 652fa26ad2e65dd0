with requests as (

    select * from {{ ref('int_requests') }}

),

model_days as (

    select
        usage_date,
        provider,
        model,
        service_tier,
        region,
        min(requested_at) as first_seen_at,
        max(requested_at) as last_seen_at
    from requests
    group by usage_date, provider, model, service_tier, region
    {{ and_archived() }}

),

-- What is not told is priced as standard.
final as (

    select
        usage_date,
        provider,
        model,
        coalesce(service_tier, 'standard') as service_tier,
        coalesce(region, '') as region,
        min(first_seen_at) as first_seen_at,
        max(last_seen_at) as last_seen_at
    from model_days
    group by all

)

select * from final
