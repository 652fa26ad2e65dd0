{{ config(materialized='view') }}

with usage_by_user as (

    select * from {{ ref('int_usage_by_user_and_team') }}
    where grain = 'user'

),

final as (

    select
        usage_date,
        ai_service,
        user_id,
        team_id,
        prompts,
        sessions,
        requests,
        responses,
        failed_requests,
        input_tokens,
        output_tokens,
        total_tokens,
        {{ cost_of_sum() }} as cost_usd,
        reported_cost_usd,
        unpriced_requests,
        unpriced_tokens,
        requests_without_usage,
        total_response_time_ms,
        timed_responses,
        total_time_to_first_token_ms,
        timed_time_to_first_token_ms as responses_with_first_token,
        response_output_tokens,
        responses_with_output_tokens,
        timed_output_tokens,
        output_time_ms
    from usage_by_user

)

select * from final
