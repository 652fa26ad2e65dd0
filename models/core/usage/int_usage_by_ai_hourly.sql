{{ config(materialized='incremental') }}

with requests as (

    {{ requests_to_add_up() }}

),

final as (

    select
        usage_date,
        requests_version,
        usage_hour,
        ai_service,
        count(*) as requests,
        count(*) filter (where status = 'failure') as failed_requests,
        count(distinct user_id) filter (where {{ is_person('user_id') }}) as active_users,
        cast(sum(total_tokens) as bigint) as total_tokens,
        count(distinct prompt_id) as prompts
    from requests
    group by usage_date, requests_version, usage_hour, ai_service
    {{ and_archived() }}

)

select * from final
