with requests as (

    select * from {{ ref('int_requests') }}

),

models as (

    select * from {{ ref('dim_models') }}

),

by_ai as (

    select
        models.ai_service,
        count(distinct requests.prompt_id) as prompts,
        count(*) as requests
    from requests
    inner join models
        on requests.provider = models.provider and requests.model = models.model
    group by models.ai_service

),

final as (

    select
        *,
        -- Of all prompts put to AIs: one that went to two AIs is in both shares.
        prompts / sum(prompts) over () as share_of_prompts
    from by_ai

)

select * from final
