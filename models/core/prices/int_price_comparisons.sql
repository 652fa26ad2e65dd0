{{ config(materialized='incremental') }}

with requests as (

    {{ requests_to_add_up() }}

),

final as (

    select
        usage_date,
        requests_version,
        provider,
        model,
        price_id,
        is_sum_of_calls,
        count(*) as requests,
        {%- for meter in meters() %}
            cast(coalesce(sum({{ meter.tokens }}), 0) as bigint) as {{ meter.name }},
        {%- endfor %}
        cast(coalesce(sum(web_searches), 0) as bigint) as web_searches,
        sum(cost_usd) as cost_usd,
        sum(reported_cost_usd) as reported_cost_usd
    from requests
    where price_status = 'priced' and reported_cost_usd is not null
    group by usage_date, requests_version, provider, model, price_id, is_sum_of_calls
    {{ and_archived() }}

)

select * from final
