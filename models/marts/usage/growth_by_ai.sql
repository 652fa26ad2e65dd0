with usage_by_period as (

    select * from {{ ref('int_usage_by_period') }}

),

{{ growth_by('ai_service', days=ref('int_usage_hourly')) }}

select * from final
