{{ config(materialized='view') }}

with usage_hourly as (

    select * from {{ ref('int_usage_hourly') }}
    where is_compared

),

final as (

    select
        usage_date,
        provider,
        model,
        price_id,
        is_sum_of_calls,
        cast(sum(requests) as bigint) as requests,
        {%- for meter in meters() %}
            cast(coalesce(sum({{ meter.tokens }}), 0) as bigint) as {{ meter.name }},
        {%- endfor %}
        cast(coalesce(sum(web_searches), 0) as bigint) as web_searches,
        sum(cost_usd) as cost_usd,
        sum(reported_cost_usd) as reported_cost_usd
    from usage_hourly
    group by usage_date, provider, model, price_id, is_sum_of_calls

)

select * from final
