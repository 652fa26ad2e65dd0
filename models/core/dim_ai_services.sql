with models as (

    select * from {{ ref('dim_models') }}

),

final as (

    select
        ai_service,
        string_agg(distinct provider, ', ' order by provider) as providers,
        count(*) as models,
        min(first_seen_at) as first_seen_at,
        max(last_seen_at) as last_seen_at
    from models
    group by ai_service

)

select * from final
