with session_days as (

    select * from {{ ref('int_session_days') }}

),

usage_hourly as (

    select * from {{ ref('int_usage_hourly') }}

),

prompt_days as (

    select
        ai_service,
        unnest(prompts) as prompt
    from session_days

),

prompts_by_ai as (

    select
        ai_service,
        count(distinct prompt) as prompts
    from prompt_days
    group by ai_service

),

by_ai as (

    select
        ai_service,
        prompts_by_ai.prompts,
        cast(sum(usage_hourly.requests) as bigint) as requests
    from prompts_by_ai
    inner join usage_hourly using (ai_service)
    group by ai_service, prompts_by_ai.prompts

),

final as (

    select
        *,
        -- Of all prompts put to AIs: one that went to two AIs is in both shares.
        prompts / sum(prompts) over () as share_of_prompts
    from by_ai

)

select * from final
