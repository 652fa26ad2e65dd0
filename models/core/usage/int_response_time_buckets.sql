{{ config(materialized='incremental') }}

with requests as (

    {{ requests_to_add_up() }}

),

final as (

    select
        usage_date,
        requests_version,
        ai_service,
        {{ log_bucket('response_time_ms') }} as bucket,
        count(*) as responses
    from requests
    where status = 'success' and response_time_ms is not null
    group by usage_date, requests_version, ai_service, bucket
    {{ and_archived() }}

)

select * from final
