with session_days as (

    select * from {{ ref('int_session_days') }}

),

final as (

    select
        session_number,
        user_id,
        {{ session_measures() }}
    from session_days
    group by session_number, user_id

)

select * from final
