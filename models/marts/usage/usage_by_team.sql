with usage_by_team as (

    select * from {{ ref('int_usage_by_user_and_team') }}
    where grain = 'team'

),

final as (

    select
        usage_date,
        team_id,
        prompts,
        requests,
        failed_requests,
        active_users,
        sessions,
        input_tokens,
        output_tokens,
        total_tokens,
        requests_without_usage
    from usage_by_team

)

select * from final
