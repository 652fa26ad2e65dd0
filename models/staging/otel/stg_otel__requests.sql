with source as (

    select * from {{ source('raw', 'otel') }}

),

spans as (

    select
        *,
        error_type is not null or status_code in ('2', 'STATUS_CODE_ERROR') as is_failure,
        {{ host_and_port('server_address', 'server_port', 'api_base') }} as sent_to
    from source
    where is_genai

),

-- Session and user often stand on the span above only. Ingestion keeps it in each day it touches.
parents as (

    select
        event_date,
        trace_id,
        span_id as parent_span_id,
        max(session_id) as session_id,
        max(user_id) as user_id,
        max(user_name) as user_name
    from source
    where session_id is not null or user_id is not null
    group by event_date, trace_id, span_id

),

-- Or further up, beyond an agent's span: what the trace tells, if it tells but one.
traces as (

    select
        event_date,
        trace_id,
        case when count(distinct session_id) = 1 then max(session_id) end as session_id,
        case when count(distinct user_id) = 1 then max(user_id) end as user_id,
        case when count(distinct user_id) = 1 then max(user_name) end as user_name
    from source
    where session_id is not null or user_id is not null
    group by event_date, trace_id

),

renamed as (

    select
        -- ids
        coalesce(spans.response_id, spans.trace_id || '-' || spans.span_id) as request_id,
        'otel' as source,
        -- Whatever happens under one trace answers one thing that a user asked.
        spans.trace_id as prompt_id,
        coalesce(spans.session_id, parents.session_id, traces.session_id) as reported_session_id,
        false as is_session_id_doubtful,
        coalesce(spans.user_id, parents.user_id, traces.user_id, spans.end_user) as user_id,
        coalesce(spans.user_name, parents.user_name, traces.user_name) as user_name,
        cast(null as varchar) as team_id,

        -- text
        {{ provider_name('coalesce(spans.provider_name, spans.system)') }} as provider,
        coalesce(spans.response_model, spans.request_model, 'unknown') as model,
        case when spans.is_failure then 'failure' else 'success' end as status,
        case when spans.is_failure then spans.error_type end as error_type,

        -- numbers; a stream may end without telling its usage
        coalesce(spans.input_tokens, spans.prompt_tokens) as input_tokens,
        spans.cache_read_tokens,
        coalesce(spans.cache_write_tokens, spans.cache_creation_tokens) as cache_write_tokens,
        coalesce(spans.output_tokens, spans.completion_tokens) as output_tokens,
        spans.reasoning_tokens,
        cast(null as decimal(20, 12)) as reported_cost_usd,

        -- booleans
        false as is_cache_hit,
        -- Spans of agents and tools add up the requests below them, which have spans of their own.
        coalesce(spans.operation_name, 'chat')
        in ('chat', 'text_completion', 'generate_content', 'embeddings') as is_request,
        coalesce(
            spans.sent_to in ('{{ setting("gateway_addresses") | replace(",", "', '") }}'), false
        ) as is_client_view,

        -- times
        spans.started_at as requested_at,
        spans.started_at + to_microseconds(cast(spans.time_to_first_token_ms * 1000 as bigint))
            as first_token_at,
        spans.ended_at as completed_at,
        spans.landed_at,
        spans.event_date
    from spans
    left join parents
        on
            spans.event_date = parents.event_date
            and spans.trace_id = parents.trace_id
            and spans.parent_span_id = parents.parent_span_id
    left join traces
        on spans.event_date = traces.event_date and spans.trace_id = traces.trace_id

)

select * from renamed
