with requests as (

    select distinct
        usage_date,
        built_at
    from {{ ref('int_requests') }}

),

prices as (

    select md5(string_agg(cast(prices as varchar), ' ' order by price_id)) as version
    from {{ ref('dim_prices') }} as prices

),

ai_services as (

    select
        md5(string_agg(concat_ws(' ', provider, model, ai_service), ' ' order by provider, model))
            as version
    from {{ ref('dim_models') }}

),

final as (

    select
        requests.usage_date,
        concat_ws(' ', requests.built_at, prices.version, ai_services.version) as version
    from requests
    cross join prices
    cross join ai_services

)

select * from final
