with response_time_buckets as (

    select
        usage_date,
        ai_service,
        bucket,
        cast(sum(responses) as bigint) as responses
    from {{ ref('int_response_time_buckets') }}
    group by usage_date, ai_service, bucket

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
