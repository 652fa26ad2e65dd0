with usage_by_user as (

    select * from {{ ref('int_usage_by_user_and_team') }}
    where grain = 'user'

),

final as (

    select
        usage_date,
        ai_service,
        cast(sum(input_tokens) as bigint) as input_tokens,
        cast(sum(output_tokens) as bigint) as output_tokens,
        cast(sum(total_tokens) as bigint) as total_tokens,
        cast(sum(requests) as bigint) as requests,
        {{ sum_of_costs() }} as cost_usd,
        {{ sum_not_told() }}
    from usage_by_user
    group by usage_date, ai_service

)

select * from final
