with models as (

    select * from {{ ref('dim_models') }}

),

-- A day past retention keeps the names of its time.
names as (

    select distinct
        ai_service,
        provider,
        model
    from {{ ref('int_usage_hourly') }}

),

final as (

    select
        names.ai_service,
        string_agg(distinct models.provider, ', ' order by models.provider) as providers,
        count(*) as models,
        min(models.first_seen_at) as first_seen_at,
        max(models.last_seen_at) as last_seen_at
    from names
    inner join models
        on names.provider = models.provider and names.model = models.model
    group by names.ai_service

)

select * from final
