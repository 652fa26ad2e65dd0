with sessions as (

    select * from {{ ref('int_sessions_by_user') }}

),

final as (

    select
        usage_date,
        user_id,
        {{ session_averages() }}
    from sessions
    group by usage_date, user_id

)

select * from final
