with usage_hourly as (

    select * from {{ ref('int_usage_hourly') }}

),

by_type as (

    select
        usage_date,
        user_id,
        ai_service,
        model,
        {%- for type in token_types() %}
            cast(sum({{ type.tokens }}) as bigint) as {{ type.tokens }}
            {%- if not loop.last %},{% endif %}
        {%- endfor %}
    from usage_hourly
    group by usage_date, user_id, ai_service, model

),

finer as (

    select
        usage_date,
        user_id,
        ai_service,
        model,
        {%- for meter in finer_meters() %}
            cast(sum({{ meter.name }}_tokens) as bigint) as {{ meter.name }}_tokens
            {%- if not loop.last %},{% endif %}
        {%- endfor %}
    from {{ ref('int_finer_meters') }}
    group by usage_date, user_id, ai_service, model

),

daily as (

    select
        usage_date,
        user_id,
        ai_service,
        model,
        {%- for meter in meters() %}
            {{ meter.tokens }} as {{ meter.name }}
            {%- if not loop.last %},{% endif %}
        {%- endfor %}
    from by_type
    left join finer using (usage_date, user_id, ai_service, model)

),

by_meter as (

    unpivot daily
    on {{ meters() | map(attribute='name') | join(', ') }}
    into name meter value tokens

),

final as (

    select
        usage_date,
        user_id,
        ai_service,
        model,
        case meter
            {%- for meter in finer_meters() %}
                when '{{ meter.name }}' then '{{ meter.type }}'
            {%- endfor %}
            else meter
        end as token_type,
        meter,
        tokens
    from by_meter
    where tokens > 0

)

select * from final
