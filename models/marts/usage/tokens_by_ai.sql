with usage_by_user as (

    select * from {{ ref('int_usage_by_user_and_team') }}
    where grain = 'user'

),

by_ai as (

    select
        ai_service,
        cast(sum(input_tokens) as bigint) as input_tokens,
        cast(sum(output_tokens) as bigint) as output_tokens,
        cast(sum(total_tokens) as bigint) as total_tokens,
        cast(sum(requests) as bigint) as requests,
        {{ sum_of_costs() }} as cost_usd,
        {{ sum_not_told() }}
    from usage_by_user
    group by ai_service

),

final as (

    select
        *,
        total_tokens / nullif(sum(total_tokens) over (), 0) as share_of_tokens
    from by_ai

)

select * from final
