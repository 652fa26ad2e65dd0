{{ config(materialized='incremental') }}

-- Of the few requests that tell more than the five types: among the hourly sums these columns would
-- cost each of millions of rows.
with requests as (

    {{ requests_to_add_up() }}

),

final as (

    select
        usage_date,
        requests_version,
        {{ known_user('requests.user_id') }} as user_id,
        ai_service,
        provider,
        model,
        coalesce(price_id, '(no known price)') as price_id,
        is_sum_of_calls,
        {{ is_compared() }} as is_compared,
        {%- for meter in finer_meters() %}
            cast(sum({{ meter.name }}_tokens) as bigint) as {{ meter.name }}_tokens,
        {%- endfor %}
        cast(sum(web_searches) as bigint) as web_searches
    from requests
    where
        coalesce(
            {%- for meter in finer_meters() %}
                {{ meter.name }}_tokens,
            {%- endfor %}
            web_searches
        ) is not null
    group by
        usage_date, requests_version, {{ known_user('requests.user_id') }}, ai_service, provider,
        model, price_id, is_sum_of_calls, {{ is_compared() }}
    {{ and_archived(user_columns=['user_id']) }}

)

select * from final
