with session_days as (

    select * from {{ ref('int_session_days') }}

),

final as (

    select
        session_number,
        ai_service,
        {{ session_measures() }}
    from session_days
    group by session_number, ai_service

)

select * from final
