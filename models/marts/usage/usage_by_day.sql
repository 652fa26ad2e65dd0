with usage_daily as (

    select * from {{ ref('int_usage_daily') }}
    where grain = 'day'

),

final as (

    select
        usage_date,
        prompts,
        requests,
        failed_requests,
        active_users,
        sessions,
        input_tokens,
        output_tokens,
        total_tokens,
        requests_without_usage
    from usage_daily

)

select * from final
