with failures as (

    select * from {{ ref('int_failures_daily') }}

),

final as (

    select
        usage_date,
        ai_service,
        error_type,
        cast(sum(failed_requests) as bigint) as failed_requests,
        count(distinct user_id) filter (where {{ is_person('user_id') }}) as users_touched,
        min(first_failed_at) as first_failed_at,
        max(last_failed_at) as last_failed_at
    from failures
    group by usage_date, ai_service, error_type

)

select * from final
