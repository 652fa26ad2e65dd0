with sessions as (

    select * from {{ ref('int_sessions_by_ai') }}

),

buckets as (

    select
        usage_date,
        ai_service,
        {{ log_bucket('session_length_s') }} as bucket,
        count(*) as sessions
    from sessions
    group by usage_date, ai_service, bucket

),

final as (

    select
        usage_date,
        ai_service,
        {{ bucket_bounds('bucket', 'session_length', 's') }},
        sessions
    from buckets

)

select * from final
