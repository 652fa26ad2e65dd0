{{ config(materialized='view') }}

with sessions as (

    select * from {{ ref('int_sessions') }}

),

final as (

    select * exclude (sessions_version) from sessions

)

select * from final
