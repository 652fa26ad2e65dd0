with usage_dates as (

    select * from {{ ref('int_usage_dates') }}

),

event_dates as (

    select distinct unnest(event_dates) as event_date
    from usage_dates
    where needs_rebuild

),

final as (

    {{ event_dates_sharing_requests('select event_date from event_dates') }}

)

select * from final
