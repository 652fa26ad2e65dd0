with response_time_buckets as (

    select * from {{ ref('int_response_time_buckets') }}

),

final as (

    select
        usage_date,
        ai_service,
        {{ bucket_bounds('bucket', 'response_time', 'ms') }},
        responses
    from response_time_buckets

)

select * from final
