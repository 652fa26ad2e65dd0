{{ config(materialized='view') }}

with requests as (

    select * from {{ ref('int_requests') }}

),

final as (

    select
        usage_date,
        provider,
        model,
        min(requested_at) as first_seen_at,
        max(requested_at) as last_seen_at
    from requests
    group by usage_date, provider, model
    {{ and_archived() }}

)

select * from final
