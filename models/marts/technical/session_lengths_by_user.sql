with sessions as (

    select * from {{ ref('int_sessions_by_ai') }}

),

buckets as (

    select
        usage_date,
        ai_service,
        user_id,
        team_id,
        {{ log_bucket('session_length_s') }} as bucket,
        count(*) as sessions,
        sum(session_length_s) as total_session_length_s,
        cast(sum(prompts) as bigint) as prompts,
        cast(sum(responses) as bigint) as responses
    from sessions
    group by usage_date, ai_service, user_id, team_id, bucket

),

final as (

    select
        usage_date,
        ai_service,
        user_id,
        team_id,
        {{ bucket_bounds('bucket', 'session_length', 's') }},
        sessions,
        total_session_length_s,
        prompts,
        responses
    from buckets

)

select * from final
