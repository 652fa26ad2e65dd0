with model_days as (

    select * from {{ ref('int_model_days') }}

),

rules as (

    select * from {{ ref('ai_services') }}

),

models as (

    select
        provider,
        model,
        min(first_seen_at) as first_seen_at,
        max(last_seen_at) as last_seen_at
    from model_days
    group by provider, model

),

named as (

    select
        models.provider,
        models.model,
        arg_max(rules.ai_service, (length(rules.model_pattern), rules.ai_service)) as ai_service
    from models
    inner join rules
        on models.provider = rules.provider and models.model glob rules.model_pattern
    group by models.provider, models.model

),

final as (

    select
        models.provider,
        models.model,
        coalesce(named.ai_service, models.provider) as ai_service,
        models.first_seen_at,
        models.last_seen_at
    from models
    left join named on models.provider = named.provider and models.model = named.model

)

select * from final
