{{ config(materialized='view') }}

with usage_hourly as (

    select * from {{ ref('int_usage_hourly') }}
    where is_compared

),

by_type as (

    select
        usage_date,
        provider,
        model,
        price_id,
        is_sum_of_calls,
        cast(sum(requests) as bigint) as requests,
        {%- for type in token_types() %}
            cast(coalesce(sum({{ type.tokens }}), 0) as bigint) as {{ type.tokens }},
        {%- endfor %}
        sum(cost_usd) as cost_usd,
        sum(reported_cost_usd) as reported_cost_usd
    from usage_hourly
    group by usage_date, provider, model, price_id, is_sum_of_calls

),

finer as (

    select
        usage_date,
        provider,
        model,
        price_id,
        is_sum_of_calls,
        {%- for meter in finer_meters() %}
            cast(sum({{ meter.name }}_tokens) as bigint) as {{ meter.name }}_tokens,
        {%- endfor %}
        cast(sum(web_searches) as bigint) as web_searches
    from {{ ref('int_finer_meters') }}
    where is_compared
    group by usage_date, provider, model, price_id, is_sum_of_calls

),

final as (

    select
        usage_date,
        provider,
        model,
        price_id,
        is_sum_of_calls,
        by_type.requests,
        {%- for meter in meters() %}
            coalesce({{ meter.tokens }}, 0) as {{ meter.name }},
        {%- endfor %}
        coalesce(finer.web_searches, 0) as web_searches,
        by_type.cost_usd,
        by_type.reported_cost_usd
    from by_type
    left join finer using (usage_date, provider, model, price_id, is_sum_of_calls)

)

select * from final
