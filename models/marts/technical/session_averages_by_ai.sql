with sessions as (

    select * from {{ ref('int_sessions_by_ai') }}

),

final as (

    select
        usage_date,
        ai_service,
        {{ session_averages() }}
    from sessions
    group by usage_date, ai_service

)

select * from final
