-- OTLP/JSON trace exports: one export batch a line, many spans in it. Kept are the spans that name
-- a model, and the spans that carry the session or the user for the spans below them. Of the
-- attributes only those named here are kept: prompts and answers stand in others.
-- Source of the format: opentelemetry-proto, trace.proto in its JSON encoding; names of the
-- attributes: OpenTelemetry GenAI conventions 1.27 to 1.38 and OpenLLMetry.
with spans as (
    select
        landing_file,
        line_number,
        unnest(case when scope is null then [null] else scope.spans end) as span
    from (
        select
            landing_file,
            line_number,
            -- A line without resourceSpans must show as one bad record, not as nothing.
            unnest(case when resource is null then [null] else resource."scopeSpans" end) as scope
        from (
            select
                landing_file,
                line_number,
                unnest(coalesce("resourceSpans", [null])) as resource
            from landing
        )
    )
),

attributed as (
    select
        landing_file,
        line_number,
        span,
        try(map_from_entries(list_transform(
            list_filter(
                span.attributes,
                lambda attribute: attribute.key in (
                    'gen_ai.operation.name', 'gen_ai.provider.name', 'gen_ai.system',
                    'gen_ai.request.model', 'gen_ai.response.model', 'gen_ai.response.id',
                    'gen_ai.usage.input_tokens', 'gen_ai.usage.prompt_tokens',
                    'gen_ai.usage.output_tokens', 'gen_ai.usage.completion_tokens',
                    'gen_ai.usage.cache_read.input_tokens', 'gen_ai.usage.cache_read_input_tokens',
                    'gen_ai.usage.cache_write.input_tokens',
                    'gen_ai.usage.cache_creation.input_tokens',
                    'gen_ai.usage.cache_creation_input_tokens',
                    'gen_ai.usage.reasoning.output_tokens', 'gen_ai.usage.reasoning_tokens',
                    'gen_ai.response.time_to_first_chunk', 'gen_ai.openai.api_base',
                    'gen_ai.conversation.id', 'gen_ai.user', 'session.id', 'user.id', 'enduser.id',
                    'user.name', 'server.address', 'server.port', 'error.type'
                )
            ),
            lambda attribute: {
                'key': attribute.key,
                'value': coalesce(
                    attribute.value."stringValue", attribute.value."intValue",
                    attribute.value."doubleValue", attribute.value."boolValue"
                )
            }
        ))) as attributes
    from spans
),

named as (
    select
        landing_file,
        line_number,
        span,
        attributes,
        given(attributes['gen_ai.operation.name']) is not null
            or given(attributes['gen_ai.request.model']) is not null
            or given(attributes['gen_ai.response.model']) is not null as is_genai,
        make_timestamp(try_cast(span."startTimeUnixNano" as bigint) // 1000) as started_at,
        make_timestamp(try_cast(span."endTimeUnixNano" as bigint) // 1000) as ended_at
    from attributed
    where
        span is null
        or (span.attributes is not null and attributes is null)
        or given(attributes['gen_ai.request.model']) is not null
        or given(attributes['gen_ai.response.model']) is not null
        or given(attributes['gen_ai.operation.name']) is not null
        or coalesce(
            given(attributes['session.id']), given(attributes['gen_ai.conversation.id']),
            given(attributes['user.id']), given(attributes['enduser.id'])
        ) is not null
),

judged as (
    select
        given(span."traceId") as trace_id,
        given(span."spanId") as span_id,
        given(span."parentSpanId") as parent_span_id,
        started_at,
        ended_at,
        given(span.status.code) as status_code,
        is_genai,
        given(attributes['gen_ai.operation.name']) as operation_name,
        given(attributes['gen_ai.provider.name']) as provider_name,
        given(attributes['gen_ai.system']) as system,
        given(attributes['gen_ai.request.model']) as request_model,
        given(attributes['gen_ai.response.model']) as response_model,
        given(attributes['gen_ai.response.id']) as response_id,
        as_count(attributes['gen_ai.usage.input_tokens']) as input_tokens,
        as_count(attributes['gen_ai.usage.prompt_tokens']) as prompt_tokens,
        as_count(attributes['gen_ai.usage.output_tokens']) as output_tokens,
        as_count(attributes['gen_ai.usage.completion_tokens']) as completion_tokens,
        as_count(coalesce(
            attributes['gen_ai.usage.cache_read.input_tokens'],
            attributes['gen_ai.usage.cache_read_input_tokens']
        )) as cache_read_tokens,
        as_count(attributes['gen_ai.usage.cache_write.input_tokens']) as cache_write_tokens,
        as_count(coalesce(
            attributes['gen_ai.usage.cache_creation.input_tokens'],
            attributes['gen_ai.usage.cache_creation_input_tokens']
        )) as cache_creation_tokens,
        as_count(coalesce(
            attributes['gen_ai.usage.reasoning.output_tokens'],
            attributes['gen_ai.usage.reasoning_tokens']
        )) as reasoning_tokens,
        coalesce(
            try_cast(attributes['gen_ai.response.time_to_first_chunk'] as double) * 1000,
            (
                list_min(list_transform(
                    list_filter(
                        span.events, lambda event: event.name = 'gen_ai.content.completion.chunk'
                    ),
                    lambda event: try_cast(event."timeUnixNano" as bigint)
                )) - try_cast(span."startTimeUnixNano" as bigint)
            ) / 1e6
        ) as time_to_first_token_ms,
        coalesce(given(attributes['session.id']), given(attributes['gen_ai.conversation.id']))
            as session_id,
        coalesce(given(attributes['user.id']), given(attributes['enduser.id'])) as user_id,
        given(attributes['user.name']) as user_name,
        given(attributes['gen_ai.user']) as end_user,
        given(attributes['server.address']) as server_address,
        given(attributes['server.port']) as server_port,
        given(attributes['gen_ai.openai.api_base']) as api_base,
        given(attributes['error.type']) as error_type,

        case
            when is_genai or started_at is null then [cast(started_at as date)]
            else
                list_transform(
                    range(least(greatest(date_diff('day', started_at, ended_at), 0), 7) + 1),
                    lambda days: cast(started_at as date) + cast(days as integer)
                )
        end as event_dates,
        case when span is null then 'there are no resourceSpans in it' else concat_ws('; ',
            case
                when span.attributes is not null and attributes is null
                    then 'an attribute stands twice'
            end,
            missing(span."traceId", 'traceId'),
            missing(span."spanId", 'spanId'),
            case
                when is_genai
                    and given(attributes['gen_ai.request.model']) is null
                    and given(attributes['gen_ai.response.model']) is null
                    and attributes['gen_ai.operation.name'] in
                    ('chat', 'text_completion', 'generate_content', 'embeddings')
                    then 'gen_ai.request.model is missing'
            end,
            bad_time(
                cast(try_cast(span."startTimeUnixNano" as bigint) / 1e9 as varchar),
                'startTimeUnixNano'
            ),
            case
                when started_at is null then 'startTimeUnixNano is not a number of nanoseconds'
            end,
            case when ended_at is null then 'endTimeUnixNano is not a number of nanoseconds' end,
            case when ended_at < started_at then 'the span ends before it starts' end,
            bad_count(attributes['gen_ai.usage.input_tokens'], 'input_tokens'),
            bad_count(attributes['gen_ai.usage.prompt_tokens'], 'prompt_tokens'),
            bad_count(attributes['gen_ai.usage.output_tokens'], 'output_tokens'),
            bad_count(attributes['gen_ai.usage.completion_tokens'], 'completion_tokens'),
            bad_count(coalesce(
                attributes['gen_ai.usage.cache_read.input_tokens'],
                attributes['gen_ai.usage.cache_read_input_tokens']
            ), 'cache_read tokens'),
            bad_count(attributes['gen_ai.usage.cache_write.input_tokens'], 'cache_write tokens'),
            bad_count(coalesce(
                attributes['gen_ai.usage.cache_creation.input_tokens'],
                attributes['gen_ai.usage.cache_creation_input_tokens']
            ), 'cache_creation tokens'),
            bad_count(coalesce(
                attributes['gen_ai.usage.reasoning.output_tokens'],
                attributes['gen_ai.usage.reasoning_tokens']
            ), 'reasoning tokens'),
            bad_number(
                attributes['gen_ai.response.time_to_first_chunk'], 'time_to_first_chunk', 2592000
            )
        ) end as reject_reason,
        {
            'traceId': span."traceId", 'spanId': span."spanId",
            'startTimeUnixNano': span."startTimeUnixNano",
            'endTimeUnixNano': span."endTimeUnixNano",
            'attributes': map_from_entries(list_filter(
                map_entries(attributes),
                lambda entry: entry.key like 'gen_ai.usage.%' or entry.key like 'gen_ai.%.model'
            ))
        } as reject_text,
        landing_file,
        line_number
    from named
)

-- A request belongs to the day of its start. A span that only carries the session or the user is
-- stored in each day that it touches, so that every day is complete in itself; a bad one once.
select
    * exclude (event_dates),
    unnest(case when reject_reason = '' then event_dates else event_dates[:1] end) as event_date
from judged
