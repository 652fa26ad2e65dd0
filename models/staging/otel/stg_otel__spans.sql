with source as (

    select * from {{ source('raw', 'otel') }}

),

addressed as (

    select
        *,
        error_type is not null or status_code in ('2', 'STATUS_CODE_ERROR') as is_failure,
        {{ host_and_port('server_address', 'server_port', 'api_base') }} as sent_to
    from source

),

renamed as (

    select
        -- ids
        trace_id || '-' || span_id as call_id,
        'otel' as source,
        trace_id,
        span_id,
        parent_span_id,
        {{ provider_response_id('response_id') }} as response_id,
        list_filter(
            [{{ provider_response_id('response_id') }}, litellm_call_id],
            lambda id: id is not null
        ) as response_ids,

        -- who: as the span tells it, and as what sent it does
        user_id as owner_id,
        user_name,
        end_user as end_user_id,
        key_alias,
        team_id,
        session_id,
        resource_user_id as resource_owner_id,
        resource_user_name,
        resource_team_id,
        resource_session_id,

        -- text
        scope_name,
        coalesce(provider_name, system) as provider,
        -- What a gateway says that it has asked goes before the name under which it offers that.
        case
            when scope_name like 'litellm%'
                then coalesce(provider_model, request_model, response_model)
            else coalesce(response_model, request_model)
        end as model,
        case
            when scope_name like 'litellm%' then coalesce(response_model, request_model)
            else request_model
        end as requested_model,
        operation_name as operation,
        case when is_failure then 'failure' else 'success' end as status,
        case when is_failure then error_type end as error_type,
        cache_attribute,
        reasoning_attribute,
        service_tier,
        region,

        -- numbers; a stream may end without telling its usage
        coalesce(input_tokens, prompt_tokens) as input_tokens,
        cache_read_tokens,
        coalesce(cache_write_tokens, cache_creation_tokens) as cache_write_tokens,
        coalesce(output_tokens, completion_tokens) as output_tokens,
        reasoning_tokens,
        {%- for meter in finer_meters() %}
            {{ meter.name }}_tokens,
        {%- endfor %}
        web_searches,
        total_tokens,
        reported_cost_usd,

        -- booleans
        is_genai,
        coalesce(is_cache_hit, false) as is_cache_hit,
        coalesce(
            sent_to in ('{{ setting("gateway_addresses") | replace(",", "', '") }}'), false
        ) as is_client_view,

        -- times
        started_at as requested_at,
        started_at + to_microseconds(cast(time_to_first_token_ms * 1000 as bigint))
            as first_token_at,
        ended_at as completed_at,
        landed_at,
        landing_file,
        event_date
    from addressed

)

select * from renamed
