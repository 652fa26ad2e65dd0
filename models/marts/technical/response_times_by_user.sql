{{ config(materialized='view') }}

with response_time_buckets as (

    select * from {{ ref('int_response_time_buckets') }}

),

final as (

    select
        usage_date,
        ai_service,
        user_id,
        team_id,
        {{ bucket_bounds('bucket', 'response_time', 'ms') }},
        responses
    from response_time_buckets
    where user_id is not null

)

select * from final
