with usage_daily as (

    select * from {{ ref('int_usage_daily') }}
    where is_by_ai_service

),

tokens as (

    select * from {{ ref('tokens_by_day_and_ai') }}

),

final as (

    select
        usage_date,
        ai_service,
        usage_daily.prompts,
        usage_daily.requests,
        usage_daily.failed_requests,
        usage_daily.active_users,
        usage_daily.sessions,
        tokens.input_tokens,
        tokens.output_tokens,
        tokens.total_tokens
    from usage_daily
    inner join tokens using (usage_date, ai_service)

)

select * from final
