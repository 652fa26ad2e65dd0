with usage_daily as (

    select * from {{ ref('int_usage_daily') }}
    where grain = 'user'

),

final as (

    select
        usage_date,
        user_id,
        prompts,
        requests,
        failed_requests,
        ai_services_used,
        sessions,
        input_tokens,
        output_tokens,
        total_tokens,
        requests_without_usage
    from usage_daily

)

select * from final
