with requests as (

    select distinct
        usage_date,
        built_at,
        provider,
        model
    from {{ ref('int_requests') }}

),

models as (

    select * from {{ ref('dim_models') }}

),

prices as (

    select
        provider,
        model,
        md5(string_agg(cast(prices as varchar), ' ' order by price_id)) as prices_version
    from {{ ref('dim_prices') }} as prices
    group by provider, model

),

-- Only of the models that the day knows: a new model elsewhere rebuilds nothing here.
final as (

    select
        requests.usage_date,
        md5(string_agg(
            concat_ws(' ', requests.built_at, models.ai_service, prices.prices_version),
            ' ' order by requests.provider, requests.model
        )) as requests_version
    from requests
    inner join models
        on requests.provider = models.provider and requests.model = models.model
    left join prices
        on requests.provider = prices.provider and requests.model = prices.model
    group by requests.usage_date
    {{ and_archived_versions() }}

)

select * from final
