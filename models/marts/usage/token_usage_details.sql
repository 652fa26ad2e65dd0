with usage_hourly as (

    select * from {{ ref('int_usage_hourly') }}

),

daily as (

    select
        usage_date,
        user_id,
        ai_service,
        model,
        {%- for type in token_types() %}
            cast(sum({{ type.tokens }}) as bigint) as {{ type.name }}
            {%- if not loop.last %},{% endif %}
        {%- endfor %}
    from usage_hourly
    group by usage_date, user_id, ai_service, model

),

final as (

    unpivot daily
    on {{ token_types() | map(attribute='name') | join(', ') }}
    into name token_type value tokens

)

select * from final
where tokens > 0
