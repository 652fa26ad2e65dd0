-- OTLP/JSON trace exports: one export batch a line, many spans in it. Kept are the spans that name
-- a model, an operation or usage; the spans that carry the session, the user or the team for the
-- spans below them; and of all others that stand below a span no more than that they do, so that
-- what lies between two calls does not part them. Of the attributes only those named here are kept:
-- prompts and answers stand in others.
-- Source of the format: opentelemetry-proto, trace.proto in its JSON encoding. Whose the names of
-- the attributes are, docs/data_contracts.md says.
with resources as (
    select
        landing_file,
        line_number,
        resource,
        try(map_from_entries(list_transform(
            list_filter(
                resource.resource.attributes,
                lambda attribute: attribute.key in (
                    'user.account_uuid', 'user.account_id', 'user.id', 'enduser.id',
                    'langfuse.user.id', 'user.email', 'user.full_name', 'user.name', 'session.id',
                    'langfuse.session.id', 'team.id'
                )
                or list_contains(further('user_attributes'), attribute.key)
                or list_contains(further('session_attributes'), attribute.key)
                or list_contains(further('team_attributes'), attribute.key)
            ),
            lambda attribute: {'key': attribute.key, 'value': attribute_text(attribute.value)}
        ))) as attributes
    from (
        select
            landing_file,
            line_number,
            unnest(coalesce("resourceSpans", [null])) as resource
        from landing
    )
),

scopes as (
    select
        landing_file,
        line_number,
        coalesce(
            further_told('user_attributes', attributes), given(attributes['user.account_uuid']),
            given(attributes['user.account_id']), given(attributes['user.id']),
            given(attributes['enduser.id']), given(attributes['langfuse.user.id']),
            given(attributes['user.email'])
        ) as resource_user_id,
        coalesce(
            given(attributes['user.full_name']), given(attributes['user.name']),
            given(attributes['user.email'])
        ) as resource_user_name,
        coalesce(
            further_told('session_attributes', attributes), given(attributes['session.id']),
            given(attributes['langfuse.session.id'])
        ) as resource_session_id,
        coalesce(further_told('team_attributes', attributes), given(attributes['team.id']))
            as resource_team_id,
        -- A line without them must show as one bad record, not as nothing.
        unnest(coalesce(resource."scopeSpans", [null])) as scope
    from resources
),

spans as (
    select
        * exclude (scope),
        given(scope.scope.name) as scope_name,
        unnest(case when scope is null then [null] else scope.spans end) as span
    from scopes
),

attributed as (
    select
        *,
        try(map_from_entries(list_transform(
            list_filter(
                span.attributes,
                lambda attribute: attribute.key in (
                    -- what was asked of whom
                    'gen_ai.operation.name', 'llm.request.type', 'openinference.span.kind',
                    'ai.operationId', 'traceloop.span.kind', 'langfuse.observation.type',
                    'mlflow.spanType', 'span.type',
                    'gen_ai.provider.name', 'gen_ai.system', 'llm.provider', 'llm.system',
                    'ai.model.provider', 'mlflow.llm.provider',
                    'gen_ai.request.model', 'llm.request.model', 'llm.request.model_name',
                    'llm.model_name', 'embedding.model_name', 'reranker.model_name',
                    'ai.model.id', 'langfuse.observation.model.name', 'mlflow.llm.model',
                    'gen_ai.response.model', 'llm.response.model', 'llm.response.model_name',
                    'ai.response.model', 'litellm.provider.model',
                    'gen_ai.response.id', 'llm.response.id', 'ai.response.id',
                    'litellm.call_id', 'litellm_call_id', 'metadata.litellm_call_id',
                    'server.address', 'server.port', 'gen_ai.openai.api_base',
                    -- input and output
                    'gen_ai.usage.input_tokens', 'gen_ai.usage.prompt_tokens',
                    'llm.token_count.prompt', 'llm.usage.prompt_tokens', 'ai.usage.inputTokens',
                    'ai.usage.promptTokens', 'ai.usage.tokens',
                    'gen_ai.aggregated_usage.input_tokens', 'input_tokens',
                    'gen_ai.usage.output_tokens', 'gen_ai.usage.completion_tokens',
                    'llm.token_count.completion', 'llm.usage.completion_tokens',
                    'ai.usage.outputTokens', 'ai.usage.completionTokens',
                    'gen_ai.aggregated_usage.output_tokens', 'output_tokens',
                    'gen_ai.usage.total_tokens', 'llm.token_count.total', 'llm.usage.total_tokens',
                    'ai.usage.totalTokens',
                    -- tokens of these that were cached
                    'gen_ai.usage.cache_read.input_tokens', 'gen_ai.usage.cache_read_input_tokens',
                    'gen_ai.usage.cache_read_tokens', 'gen_ai.usage.input_tokens.cached',
                    'gen_ai.usage.details.cache_read_tokens',
                    'gen_ai.usage.details.cache_read_input_tokens',
                    'gen_ai.usage.prompt_tokens_details.cached_tokens',
                    'gen_ai.usage.input_tokens_details.cached_tokens',
                    'gen_ai.aggregated_usage.cache_read.input_tokens',
                    'llm.token_count.prompt_details.cache_read',
                    'llm.token_count.prompt_details.cache_input',
                    'ai.usage.inputTokenDetails.cacheReadTokens', 'ai.usage.cachedInputTokens',
                    'cache_read_tokens',
                    'gen_ai.usage.cache_write.input_tokens', 'gen_ai.usage.cache_write_input_tokens',
                    'gen_ai.usage.cache_write_tokens', 'gen_ai.usage.input_tokens.cache_write',
                    'gen_ai.usage.cache_creation.input_tokens',
                    'gen_ai.usage.cache_creation_input_tokens',
                    'gen_ai.usage.details.cache_write_tokens',
                    'gen_ai.usage.details.cache_creation_input_tokens',
                    'gen_ai.usage.prompt_tokens_details.cache_creation_tokens',
                    'gen_ai.aggregated_usage.cache_creation.input_tokens',
                    'llm.token_count.prompt_details.cache_write',
                    'ai.usage.inputTokenDetails.cacheWriteTokens', 'cache_creation_tokens',
                    'ai.response.providerMetadata',
                    -- tokens of these that were reasoning
                    'gen_ai.usage.reasoning.output_tokens', 'gen_ai.usage.reasoning_tokens',
                    'gen_ai.usage.output_tokens.reasoning',
                    'gen_ai.usage.experimental.reasoning_tokens',
                    'gen_ai.usage.details.reasoning_tokens', 'gen_ai.usage.details.thoughts_tokens',
                    'gen_ai.usage.completion_tokens_details.reasoning_tokens',
                    'gen_ai.usage.output_tokens_details.reasoning_tokens',
                    'llm.usage.reasoning_tokens', 'llm.token_count.completion_details.reasoning',
                    'ai.usage.outputTokenDetails.reasoningTokens', 'ai.usage.reasoningTokens',
                    -- tokens of these that have a price of their own
                    'gen_ai.usage.cache_creation.ephemeral_5m_input_tokens',
                    'gen_ai.usage.cache_creation.ephemeral_1h_input_tokens',
                    'gen_ai.usage.cache_creation_1h.input_tokens',
                    'gen_ai.usage.details.ephemeral_1h_input_tokens',
                    'gen_ai.usage.audio.input_tokens', 'gen_ai.usage.input_tokens.audio',
                    'gen_ai.usage.input_audio_tokens', 'gen_ai.usage.details.input_audio_tokens',
                    'gen_ai.usage.details.audio_prompt_tokens',
                    'llm.token_count.prompt_details.audio',
                    'gen_ai.usage.audio.cache_read.input_tokens',
                    'gen_ai.usage.details.cache_audio_read_tokens',
                    'gen_ai.usage.details.audio_cache_tokens',
                    'gen_ai.usage.image.input_tokens', 'gen_ai.usage.details.image_prompt_tokens',
                    'gen_ai.usage.input_tokens.video', 'gen_ai.usage.details.video_prompt_tokens',
                    'gen_ai.usage.audio.output_tokens', 'gen_ai.usage.output_audio_tokens',
                    'gen_ai.usage.details.output_audio_tokens',
                    'gen_ai.usage.details.audio_candidates_tokens',
                    'gen_ai.usage.completion_tokens_details.audio_tokens',
                    'llm.token_count.completion_details.audio',
                    'gen_ai.usage.image.output_tokens', 'gen_ai.usage.output_tokens.image',
                    'gen_ai.usage.details.image_candidates_tokens',
                    -- what is billed besides, at which tier, and where it ran
                    'gen_ai.usage.server_tool_use.web_search_requests',
                    'gen_ai.usage.web_search_requests',
                    'gen_ai.usage.details.web_search_requests',
                    'openai.response.service_tier', 'gen_ai.openai.response.service_tier',
                    'gen_ai.response.service_tier', 'gen_ai.anthropic.service_tier',
                    'openai.request.service_tier', 'gen_ai.openai.request.service_tier',
                    'langfuse.observation.model.parameters', 'speed',
                    'gen_ai.anthropic.inference_geo',
                    -- all of it, as JSON or as Python writes it
                    'langfuse.observation.usage_details', 'mlflow.chat.tokenUsage',
                    'metadata.usage_object',
                    -- what it cost, whether it was cached, and how it went
                    'gen_ai.cost.total_cost', 'litellm.cost.total', 'gen_ai.usage.total_cost',
                    'gen_ai.usage.cost', 'gen_ai.usage.cost_usd', 'operation.cost',
                    'llm.cost.total', 'llm.usage.total_cost',
                    'langfuse.observation.cost_details', 'mlflow.llm.cost', 'hidden_params',
                    'error.type', 'success', 'status_code',
                    'gen_ai.response.time_to_first_chunk', 'gen_ai.server.time_to_first_token',
                    'ai.response.msToFirstChunk', 'ttft_ms',
                    -- who asked
                    'user.account_uuid', 'user.account_id', 'user.id', 'enduser.id',
                    'langfuse.user.id', 'mlflow.trace.user', 'ai.telemetry.metadata.userId',
                    'ai.settings.context.userId', 'traceloop.association.properties.user_id',
                    'traceloop.association.properties.userId', 'gen_ai.user.id',
                    'metadata.user_api_key_user_id', 'litellm.metadata.user_api_key_user_id',
                    'user.email', 'user.full_name', 'user.name',
                    'metadata.user_api_key_user_email', 'litellm.metadata.user_api_key_user_email',
                    'gen_ai.user', 'gen_ai.request.user', 'llm.user',
                    'metadata.user_api_key_end_user_id',
                    'litellm.metadata.user_api_key_end_user_id', 'litellm.end_user.id',
                    'metadata.user_api_key_alias', 'litellm.metadata.user_api_key_alias',
                    'team.id', 'metadata.user_api_key_team_id',
                    'litellm.metadata.user_api_key_team_id', 'litellm.team.id',
                    'traceloop.association.properties.team_id',
                    'session.id', 'gen_ai.conversation.id', 'langfuse.session.id',
                    'mlflow.trace.session', 'ai.telemetry.metadata.sessionId',
                    'ai.settings.context.sessionId', 'traceloop.association.properties.session_id',
                    'traceloop.association.properties.sessionId',
                    'traceloop.association.properties.thread_id', 'gcp.vertex.agent.session_id',
                    'gen_ai.session.id', 'gen_ai.agent.session_id'
                )
                or list_contains(further('user_attributes'), attribute.key)
                or list_contains(further('session_attributes'), attribute.key)
                or list_contains(further('team_attributes'), attribute.key)
            ),
            lambda attribute: {'key': attribute.key, 'value': attribute_text(attribute.value)}
        ))) as attributes
    from spans
),

-- Objects within attributes, each taken apart once.
unpacked as (
    select
        *,
        case
            when json_valid(attributes['langfuse.observation.usage_details'])
                then try_cast(
                    cast(attributes['langfuse.observation.usage_details'] as json)
                    as map(varchar, varchar)
                )
        end as kinds,
        case
            when json_valid(attributes['ai.response.providerMetadata'])
                then from_json(
                    attributes['ai.response.providerMetadata'],
                    '{
                        "anthropic": {
                            "cacheCreationInputTokens": "VARCHAR",
                            "usage": {
                                "cache_creation_input_tokens": "VARCHAR",
                                "cache_creation": {
                                    "ephemeral_5m_input_tokens": "VARCHAR",
                                    "ephemeral_1h_input_tokens": "VARCHAR"
                                },
                                "server_tool_use": {"web_search_requests": "VARCHAR"},
                                "service_tier": "VARCHAR",
                                "speed": "VARCHAR",
                                "inference_geo": "VARCHAR"
                            }
                        },
                        "bedrock": {"usage": {"cacheWriteInputTokens": "VARCHAR"}},
                        "openai": {"serviceTier": "VARCHAR"},
                        "google": {
                            "serviceTier": "VARCHAR",
                            "usageMetadata": {
                                "trafficType": "VARCHAR",
                                "promptTokensDetails":
                                    [{"modality": "VARCHAR", "tokenCount": "VARCHAR"}],
                                "cacheTokensDetails":
                                    [{"modality": "VARCHAR", "tokenCount": "VARCHAR"}],
                                "candidatesTokensDetails":
                                    [{"modality": "VARCHAR", "tokenCount": "VARCHAR"}]
                            }
                        }
                    }'
                )
        end as vercel
    from attributed
),

-- Text as it was told, of each the first name that tells it.
named as (
    select
        landing_file,
        line_number,
        span,
        attributes,
        scope_name,
        resource_user_id,
        resource_user_name,
        resource_session_id,
        resource_team_id,
        -- Claude Code tells its requests by bare names, which elsewhere may mean anything.
        starts_with(scope_name, 'com.anthropic.claude_code') as is_claude_code,

        coalesce(
            given(attributes['gen_ai.operation.name']), given(attributes['llm.request.type']),
            given(attributes['openinference.span.kind']), given(attributes['ai.operationId']),
            given(attributes['traceloop.span.kind']),
            given(attributes['langfuse.observation.type']),
            given(trim(attributes['mlflow.spanType'], '"')), given(attributes['span.type'])
        ) as operation_name,
        coalesce(
            given(attributes['gen_ai.provider.name']), given(attributes['llm.provider']),
            given(attributes['ai.model.provider']),
            given(trim(attributes['mlflow.llm.provider'], '"'))
        ) as provider_name,
        coalesce(given(attributes['gen_ai.system']), given(attributes['llm.system'])) as system,
        coalesce(
            given(attributes['gen_ai.request.model']), given(attributes['llm.request.model']),
            given(attributes['llm.request.model_name']), given(attributes['llm.model_name']),
            given(attributes['embedding.model_name']), given(attributes['reranker.model_name']),
            given(attributes['ai.model.id']), given(attributes['langfuse.observation.model.name']),
            given(trim(attributes['mlflow.llm.model'], '"'))
        ) as request_model,
        coalesce(
            given(attributes['gen_ai.response.model']), given(attributes['llm.response.model']),
            given(attributes['llm.response.model_name']), given(attributes['ai.response.model'])
        ) as response_model,
        given(attributes['litellm.provider.model']) as provider_model,
        coalesce(
            given(attributes['gen_ai.response.id']), given(attributes['llm.response.id']),
            given(attributes['ai.response.id'])
        ) as response_id,
        coalesce(
            given(attributes['litellm.call_id']), given(attributes['litellm_call_id']),
            given(attributes['metadata.litellm_call_id'])
        ) as litellm_call_id,

        coalesce(
            given(attributes['gen_ai.usage.input_tokens']),
            given(attributes['llm.token_count.prompt']), given(attributes['ai.usage.inputTokens']),
            given(attributes['ai.usage.promptTokens']), given(attributes['ai.usage.tokens']),
            given(attributes['gen_ai.aggregated_usage.input_tokens']),
            case when is_claude_code then given(attributes['input_tokens']) end,
            whole(kinds, 'input'), given(kinds['prompt_tokens']), given(kinds['input_tokens']),
            in_json(attributes['mlflow.chat.tokenUsage'], '$.input_tokens')
        ) as input_tokens,
        coalesce(
            given(attributes['gen_ai.usage.prompt_tokens']),
            given(attributes['llm.usage.prompt_tokens'])
        ) as prompt_tokens,
        coalesce(
            given(attributes['gen_ai.usage.output_tokens']),
            given(attributes['llm.token_count.completion']),
            given(attributes['ai.usage.outputTokens']),
            given(attributes['ai.usage.completionTokens']),
            given(attributes['gen_ai.aggregated_usage.output_tokens']),
            case when is_claude_code then given(attributes['output_tokens']) end,
            whole(kinds, 'output'), given(kinds['completion_tokens']),
            given(kinds['output_tokens']),
            in_json(attributes['mlflow.chat.tokenUsage'], '$.output_tokens')
        ) as output_tokens,
        coalesce(
            given(attributes['gen_ai.usage.completion_tokens']),
            given(attributes['llm.usage.completion_tokens'])
        ) as completion_tokens,
        coalesce(
            given(attributes['gen_ai.usage.total_tokens']),
            given(attributes['llm.token_count.total']),
            given(attributes['llm.usage.total_tokens']), given(attributes['ai.usage.totalTokens']),
            given(kinds['total']), given(kinds['total_tokens']),
            in_json(attributes['mlflow.chat.tokenUsage'], '$.total_tokens')
        ) as total_tokens,

        -- Of cached and reasoning tokens the name counts, too: the sender's convention hangs on it.
        told_by([
            'gen_ai.usage.cache_read.input_tokens', 'gen_ai.usage.cache_read_input_tokens',
            'gen_ai.usage.cache_read_tokens', 'gen_ai.usage.input_tokens.cached',
            'gen_ai.usage.details.cache_read_tokens',
            'gen_ai.usage.details.cache_read_input_tokens',
            'gen_ai.usage.prompt_tokens_details.cached_tokens',
            'gen_ai.usage.input_tokens_details.cached_tokens',
            'gen_ai.aggregated_usage.cache_read.input_tokens',
            'llm.token_count.prompt_details.cache_read',
            'llm.token_count.prompt_details.cache_input',
            'ai.usage.inputTokenDetails.cacheReadTokens', 'ai.usage.cachedInputTokens',
            'cache_read_tokens'
        ], attributes) as cache_read_attribute,
        told_by([
            'gen_ai.usage.cache_write.input_tokens', 'gen_ai.usage.cache_write_input_tokens',
            'gen_ai.usage.cache_write_tokens', 'gen_ai.usage.input_tokens.cache_write',
            'gen_ai.usage.cache_creation.input_tokens', 'gen_ai.usage.cache_creation_input_tokens',
            'gen_ai.usage.details.cache_write_tokens',
            'gen_ai.usage.details.cache_creation_input_tokens',
            'gen_ai.usage.prompt_tokens_details.cache_creation_tokens',
            'gen_ai.aggregated_usage.cache_creation.input_tokens',
            'llm.token_count.prompt_details.cache_write',
            'ai.usage.inputTokenDetails.cacheWriteTokens', 'cache_creation_tokens'
        ], attributes) as cache_write_attribute,
        told_by([
            'gen_ai.usage.reasoning.output_tokens', 'gen_ai.usage.reasoning_tokens',
            'gen_ai.usage.output_tokens.reasoning', 'gen_ai.usage.experimental.reasoning_tokens',
            'gen_ai.usage.details.reasoning_tokens', 'gen_ai.usage.details.thoughts_tokens',
            'gen_ai.usage.completion_tokens_details.reasoning_tokens',
            'gen_ai.usage.output_tokens_details.reasoning_tokens', 'llm.usage.reasoning_tokens',
            'llm.token_count.completion_details.reasoning',
            'ai.usage.outputTokenDetails.reasoningTokens', 'ai.usage.reasoningTokens'
        ], attributes) as reasoning_attribute,
        coalesce(
            given(kinds['input_cached_tokens']), given(kinds['input_cache_read']),
            given(kinds['cache_read_input_tokens']),
            in_json(kinds['prompt_tokens_details'], '$.cached_tokens'),
            in_json(attributes['mlflow.chat.tokenUsage'], '$.cache_read_input_tokens'),
            in_dict(attributes['metadata.usage_object'], 'cached_tokens')
        ) as cache_read_in_object,
        -- Langfuse's two lives of what was written stand beside the rest of it.
        coalesce(kinds['input_cache_creation_5m'], kinds['input_ephemeral_5m_input_tokens'])
            as written_5m_beside,
        coalesce(kinds['input_cache_creation_1h'], kinds['input_ephemeral_1h_input_tokens'])
            as written_1h_beside,
        coalesce(kinds['input_cache_creation'], kinds['cache_creation_input_tokens'])
            as written_kind,
        -- The Vercel AI SDK had no name for what was written to the cache before its version 6.
        coalesce(
            case
                when coalesce(written_5m_beside, written_1h_beside) is null then written_kind
                else
                    cast(
                        count_of([written_kind, written_5m_beside, written_1h_beside]) as varchar
                    )
            end,
            in_json(attributes['mlflow.chat.tokenUsage'], '$.cache_creation_input_tokens'),
            vercel.anthropic."cacheCreationInputTokens",
            vercel.anthropic.usage.cache_creation_input_tokens,
            vercel.bedrock.usage."cacheWriteInputTokens",
            in_dict(attributes['metadata.usage_object'], 'cache_creation_tokens')
        ) as cache_write_in_object,
        coalesce(
            given(kinds['output_reasoning_tokens']), given(kinds['output_reasoning']),
            in_json(kinds['completion_tokens_details'], '$.reasoning_tokens'),
            in_dict(attributes['metadata.usage_object'], 'reasoning_tokens')
        ) as reasoning_in_object,

        coalesce(
            given(attributes['gen_ai.usage.cache_creation.ephemeral_5m_input_tokens']),
            written_5m_beside, kinds['cache_creation_ephemeral_5m_input_tokens'],
            vercel.anthropic.usage.cache_creation.ephemeral_5m_input_tokens,
            in_dict(attributes['metadata.usage_object'], 'ephemeral_5m_input_tokens')
        ) as cache_write_5m_tokens,
        coalesce(
            given(attributes['gen_ai.usage.cache_creation.ephemeral_1h_input_tokens']),
            given(attributes['gen_ai.usage.cache_creation_1h.input_tokens']),
            given(attributes['gen_ai.usage.details.ephemeral_1h_input_tokens']),
            written_1h_beside, kinds['cache_creation_ephemeral_1h_input_tokens'],
            in_json(attributes['mlflow.chat.tokenUsage'], '$.cache_creation_input_tokens_above_1hr'),
            vercel.anthropic.usage.cache_creation.ephemeral_1h_input_tokens,
            in_dict(attributes['metadata.usage_object'], 'ephemeral_1h_input_tokens')
        ) as cache_write_1h_tokens,
        coalesce(
            given(attributes['gen_ai.usage.audio.input_tokens']),
            given(attributes['gen_ai.usage.input_tokens.audio']),
            given(attributes['gen_ai.usage.input_audio_tokens']),
            given(attributes['gen_ai.usage.details.input_audio_tokens']),
            given(attributes['gen_ai.usage.details.audio_prompt_tokens']),
            given(attributes['llm.token_count.prompt_details.audio']),
            of_kind(kinds, 'input', 'audio'),
            in_json(kinds['prompt_tokens_details'], '$.audio_tokens'),
            of_modality(vercel.google."usageMetadata"."promptTokensDetails", 'AUDIO'),
            in_part(attributes['metadata.usage_object'], 'prompt_tokens_details', 'audio_tokens')
        ) as input_audio_tokens,
        coalesce(
            given(attributes['gen_ai.usage.audio.cache_read.input_tokens']),
            given(attributes['gen_ai.usage.details.cache_audio_read_tokens']),
            given(attributes['gen_ai.usage.details.audio_cache_tokens']),
            of_modality(vercel.google."usageMetadata"."cacheTokensDetails", 'AUDIO'),
            in_part(attributes['metadata.usage_object'], 'cached_tokens_details', 'audio_tokens')
        ) as cache_audio_read_tokens,
        coalesce(
            given(attributes['gen_ai.usage.image.input_tokens']),
            given(attributes['gen_ai.usage.details.image_prompt_tokens']),
            of_kind(kinds, 'input', 'image'),
            of_modality(vercel.google."usageMetadata"."promptTokensDetails", 'IMAGE'),
            in_part(attributes['metadata.usage_object'], 'prompt_tokens_details', 'image_tokens')
        ) as input_image_tokens,
        coalesce(
            given(attributes['gen_ai.usage.input_tokens.video']),
            given(attributes['gen_ai.usage.details.video_prompt_tokens']),
            of_kind(kinds, 'input', 'video'),
            of_modality(vercel.google."usageMetadata"."promptTokensDetails", 'VIDEO'),
            in_part(attributes['metadata.usage_object'], 'prompt_tokens_details', 'video_tokens')
        ) as input_video_tokens,
        coalesce(
            given(attributes['gen_ai.usage.audio.output_tokens']),
            given(attributes['gen_ai.usage.output_audio_tokens']),
            given(attributes['gen_ai.usage.details.output_audio_tokens']),
            given(attributes['gen_ai.usage.details.audio_candidates_tokens']),
            given(attributes['gen_ai.usage.completion_tokens_details.audio_tokens']),
            given(attributes['llm.token_count.completion_details.audio']),
            of_kind(kinds, 'output', 'audio'),
            in_json(kinds['completion_tokens_details'], '$.audio_tokens'),
            of_modality(vercel.google."usageMetadata"."candidatesTokensDetails", 'AUDIO'),
            in_part(
                attributes['metadata.usage_object'], 'completion_tokens_details', 'audio_tokens'
            )
        ) as output_audio_tokens,
        coalesce(
            given(attributes['gen_ai.usage.image.output_tokens']),
            given(attributes['gen_ai.usage.output_tokens.image']),
            given(attributes['gen_ai.usage.details.image_candidates_tokens']),
            of_kind(kinds, 'output', 'image'),
            of_modality(vercel.google."usageMetadata"."candidatesTokensDetails", 'IMAGE'),
            in_part(
                attributes['metadata.usage_object'], 'completion_tokens_details', 'image_tokens'
            )
        ) as output_image_tokens,
        coalesce(
            of_kind(kinds, 'output', 'video'),
            of_modality(vercel.google."usageMetadata"."candidatesTokensDetails", 'VIDEO'),
            in_part(
                attributes['metadata.usage_object'], 'completion_tokens_details', 'video_tokens'
            )
        ) as output_video_tokens,
        coalesce(
            given(attributes['gen_ai.usage.server_tool_use.web_search_requests']),
            given(attributes['gen_ai.usage.web_search_requests']),
            given(attributes['gen_ai.usage.details.web_search_requests']),
            vercel.anthropic.usage.server_tool_use.web_search_requests,
            in_dict(attributes['metadata.usage_object'], 'web_search_requests')
        ) as web_searches,
        -- What was served goes before what was asked for. Claude Code and Anthropic tell speed apart
        -- from the tier; OpenLIT writes `auto` where no tier was told, and its adapter of Azure's
        -- inference a fingerprint.
        coalesce(
            case
                when
                    'fast' in (
                        case when is_claude_code then attributes['speed'] end,
                        vercel.anthropic.usage.speed,
                        word_in_dict(attributes['metadata.usage_object'], 'speed')
                    )
                    then 'fast'
            end,
            list_filter(
                [
                    attributes['openai.response.service_tier'],
                    attributes['gen_ai.openai.response.service_tier'],
                    attributes['gen_ai.response.service_tier'],
                    attributes['gen_ai.anthropic.service_tier'],
                    vercel.openai."serviceTier",
                    vercel.anthropic.usage.service_tier,
                    vercel.google."serviceTier",
                    vercel.google."usageMetadata"."trafficType",
                    word_in_dict(attributes['metadata.usage_object'], 'service_tier'),
                    attributes['openai.request.service_tier'],
                    attributes['gen_ai.openai.request.service_tier'],
                    in_json(attributes['langfuse.observation.model.parameters'], '$.service_tier')
                ],
                lambda tier: given(tier) <> 'auto' and not starts_with(tier, 'fp_')
            )[1]
        ) as service_tier,
        coalesce(
            given(attributes['gen_ai.anthropic.inference_geo']),
            vercel.anthropic.usage.inference_geo,
            word_in_dict(attributes['metadata.usage_object'], 'inference_geo')
        ) as region,
        case
            when given(kinds['input']) is not null
                then 'langfuse.observation.usage_details'
            when given(attributes['mlflow.chat.tokenUsage']) is not null
                then 'mlflow.chat.tokenUsage'
            when given(attributes['metadata.usage_object']) is not null
                then 'metadata.usage_object'
        end as usage_object,

        coalesce(
            given(attributes['gen_ai.cost.total_cost']), given(attributes['litellm.cost.total']),
            given(attributes['gen_ai.usage.total_cost']), given(attributes['gen_ai.usage.cost']),
            given(attributes['gen_ai.usage.cost_usd']), given(attributes['operation.cost']),
            given(attributes['llm.cost.total']), given(attributes['llm.usage.total_cost']),
            in_json(attributes['langfuse.observation.cost_details'], '$.total'),
            in_json(attributes['mlflow.llm.cost'], '$.total_cost')
        ) as reported_cost_usd,

        -- Milliseconds, of the first name in seconds.
        coalesce(
            try_cast(attributes['gen_ai.response.time_to_first_chunk'] as double) * 1000,
            try_cast(attributes['gen_ai.server.time_to_first_token'] as double),
            try_cast(attributes['ai.response.msToFirstChunk'] as double),
            case when is_claude_code then try_cast(attributes['ttft_ms'] as double) end,
            (
                list_min(list_transform(
                    list_filter(
                        span.events, lambda event: event.name = 'gen_ai.content.completion.chunk'
                    ),
                    lambda event: try_cast(event."timeUnixNano" as bigint)
                )) - try_cast(span."startTimeUnixNano" as bigint)
            ) / 1e6
        ) as time_to_first_token_ms,
        coalesce(
            case
                when is_claude_code and attributes['success'] = 'false' then 'STATUS_CODE_ERROR'
            end,
            word(span.status.code)
        ) as status_code,
        coalesce(
            given(attributes['error.type']),
            case
                when is_claude_code and attributes['success'] = 'false'
                    then given(attributes['status_code'])
            end
        ) as error_type,

        -- An account of Claude Code's goes before an address, and that before the id of a device.
        coalesce(
            further_told('user_attributes', attributes), given(attributes['user.account_uuid']),
            given(attributes['user.account_id']),
            case when is_claude_code then given(attributes['user.email']) end,
            given(attributes['metadata.user_api_key_user_id']),
            given(attributes['litellm.metadata.user_api_key_user_id']),
            given(attributes['user.id']), given(attributes['enduser.id']),
            given(attributes['langfuse.user.id']),
            given(trim(attributes['mlflow.trace.user'], '"')),
            given(attributes['ai.telemetry.metadata.userId']),
            given(attributes['ai.settings.context.userId']),
            given(attributes['traceloop.association.properties.user_id']),
            given(attributes['traceloop.association.properties.userId']),
            given(attributes['gen_ai.user.id']), given(attributes['user.email'])
        ) as user_id,
        coalesce(
            given(attributes['user.full_name']), given(attributes['user.name']),
            given(attributes['metadata.user_api_key_user_email']),
            given(attributes['litellm.metadata.user_api_key_user_email']),
            given(attributes['user.email'])
        ) as user_name,
        coalesce(
            given(attributes['metadata.user_api_key_end_user_id']),
            given(attributes['litellm.metadata.user_api_key_end_user_id']),
            given(attributes['litellm.end_user.id']), given(attributes['gen_ai.user']),
            given(attributes['gen_ai.request.user']), given(attributes['llm.user'])
        ) as end_user,
        coalesce(
            given(attributes['metadata.user_api_key_alias']),
            given(attributes['litellm.metadata.user_api_key_alias'])
        ) as key_alias,
        coalesce(
            further_told('team_attributes', attributes), given(attributes['team.id']),
            given(attributes['metadata.user_api_key_team_id']),
            given(attributes['litellm.metadata.user_api_key_team_id']),
            given(attributes['litellm.team.id']),
            given(attributes['traceloop.association.properties.team_id'])
        ) as team_id,
        coalesce(
            further_told('session_attributes', attributes), given(attributes['session.id']),
            given(attributes['gen_ai.conversation.id']), given(attributes['langfuse.session.id']),
            given(trim(attributes['mlflow.trace.session'], '"')),
            given(attributes['ai.telemetry.metadata.sessionId']),
            given(attributes['ai.settings.context.sessionId']),
            given(attributes['traceloop.association.properties.session_id']),
            given(attributes['traceloop.association.properties.sessionId']),
            given(attributes['traceloop.association.properties.thread_id']),
            given(attributes['gcp.vertex.agent.session_id']),
            given(attributes['gen_ai.session.id']), given(attributes['gen_ai.agent.session_id'])
        ) as session_id,

        make_timestamp(try_cast(span."startTimeUnixNano" as bigint) // 1000) as started_at,
        make_timestamp(try_cast(span."endTimeUnixNano" as bigint) // 1000) as ended_at
    from unpacked
),

-- A request belongs to the day of its start. A span that only carries who asked is stored in each
-- day that it touches, so that every day is complete in itself.
kept as (
    select
        * replace (
            coalesce(attributes[cache_read_attribute], cache_read_in_object)
                as cache_read_in_object,
            coalesce(attributes[cache_write_attribute], cache_write_in_object)
                as cache_write_in_object,
            coalesce(attributes[reasoning_attribute], reasoning_in_object) as reasoning_in_object
        ),
        span.attributes is not null and attributes is null as has_an_attribute_twice,
        -- LiteLLM's raw_gen_ai_request is what it sent and got; of some versions it repeats all that
        -- stands on the span above it.
        span.name is distinct from 'raw_gen_ai_request' and coalesce(
            given(attributes['gen_ai.operation.name']), request_model, response_model,
            input_tokens, prompt_tokens, output_tokens, completion_tokens, total_tokens
        ) is not null as is_genai,
        coalesce(user_id, end_user, session_id, team_id, key_alias) is not null as tells_who
    from named
),

judged as (
    select
        hex_id(span."traceId") as trace_id,
        hex_id(span."spanId") as span_id,
        hex_id(span."parentSpanId") as parent_span_id,
        started_at,
        ended_at,
        status_code,
        is_genai,
        scope_name,
        word(operation_name) as operation_name,
        provider_name,
        system,
        request_model,
        response_model,
        provider_model,
        response_id,
        litellm_call_id,
        as_count(input_tokens) as input_tokens,
        as_count(prompt_tokens) as prompt_tokens,
        as_count(output_tokens) as output_tokens,
        as_count(completion_tokens) as completion_tokens,
        as_count(total_tokens) as total_tokens,
        as_count(cache_read_in_object) as cache_read_tokens,
        as_count(cache_write_in_object) as cache_write_tokens,
        cast(null as bigint) as cache_creation_tokens,
        as_count(reasoning_in_object) as reasoning_tokens,
        as_count(cache_write_5m_tokens) as cache_write_5m_tokens,
        as_count(cache_write_1h_tokens) as cache_write_1h_tokens,
        as_count(input_audio_tokens) as input_audio_tokens,
        as_count(cache_audio_read_tokens) as cache_audio_read_tokens,
        as_count(input_image_tokens) as input_image_tokens,
        as_count(input_video_tokens) as input_video_tokens,
        as_count(output_audio_tokens) as output_audio_tokens,
        as_count(output_image_tokens) as output_image_tokens,
        as_count(output_video_tokens) as output_video_tokens,
        as_count(web_searches) as web_searches,
        word(service_tier) as service_tier,
        word(region) as region,
        case
            when coalesce(cache_read_in_object, cache_write_in_object) is not null
                then coalesce(cache_read_attribute, cache_write_attribute, usage_object)
        end as cache_attribute,
        case when reasoning_in_object is not null then coalesce(reasoning_attribute, usage_object) end
            as reasoning_attribute,
        as_money(reported_cost_usd) as reported_cost_usd,
        -- LiteLLM tells the key of its cache where that answered.
        coalesce(in_json(attributes['hidden_params'], '$.cache_key') is not null, false)
            as is_cache_hit,
        time_to_first_token_ms,
        session_id,
        user_id,
        nullif(user_name, user_id) as user_name,
        end_user,
        team_id,
        key_alias,
        resource_user_id,
        nullif(resource_user_name, resource_user_id) as resource_user_name,
        resource_session_id,
        resource_team_id,
        word(attributes['server.address']) as server_address,
        word(attributes['server.port']) as server_port,
        word(attributes['gen_ai.openai.api_base']) as api_base,
        word(error_type) as error_type,

        case
            when is_genai or not tells_who or started_at is null then [cast(started_at as date)]
            else
                list_transform(
                    range(least(greatest(date_diff('day', started_at, ended_at), 0), 7) + 1),
                    lambda days: cast(started_at as date) + cast(days as integer)
                )
        end as event_dates,
        case
            when span is null then 'there are no resourceSpans with scopeSpans in it'
            when not (is_genai or tells_who or has_an_attribute_twice) then ''
            else concat_ws('; ',
                case when has_an_attribute_twice then 'an attribute stands twice' end,
                missing(hex_id(span."traceId"), 'traceId'),
                missing(hex_id(span."spanId"), 'spanId'),
                case
                    when coalesce(
                        request_model, response_model, input_tokens, prompt_tokens, output_tokens,
                        completion_tokens, total_tokens
                    ) is null
                        and attributes['gen_ai.operation.name'] in
                        ('chat', 'text_completion', 'generate_content', 'embeddings')
                        then 'gen_ai.request.model is missing'
                end,
                bad_time(
                    cast(try_cast(span."startTimeUnixNano" as bigint) / 1e9 as varchar),
                    'startTimeUnixNano'
                ),
                case
                    when started_at is null
                        then 'startTimeUnixNano is not a number of nanoseconds'
                end,
                case
                    when ended_at is null then 'endTimeUnixNano is not a number of nanoseconds'
                end,
                case when ended_at < started_at then 'the span ends before it starts' end,
                bad_count(input_tokens, 'input_tokens'),
                bad_count(prompt_tokens, 'prompt_tokens'),
                bad_count(output_tokens, 'output_tokens'),
                bad_count(completion_tokens, 'completion_tokens'),
                bad_count(total_tokens, 'total_tokens'),
                bad_count(cache_read_in_object, 'cache_read tokens'),
                bad_count(cache_write_in_object, 'cache_write tokens'),
                bad_count(reasoning_in_object, 'reasoning tokens'),
                bad_meters(
                    cache_write_5m_tokens, cache_write_1h_tokens, input_audio_tokens,
                    cache_audio_read_tokens, input_image_tokens, input_video_tokens,
                    output_audio_tokens, output_image_tokens, output_video_tokens, web_searches
                ),
                bad_money(reported_cost_usd, 'the cost'),
                bad_number(
                    attributes['gen_ai.response.time_to_first_chunk'], 'time_to_first_chunk',
                    2592000
                ),
                bad_duration(
                    coalesce(
                        attributes['gen_ai.server.time_to_first_token'],
                        attributes['ai.response.msToFirstChunk'],
                        case when is_claude_code then attributes['ttft_ms'] end
                    ),
                    'time to the first token'
                ),
                bad_id(span."traceId", 'traceId'),
                bad_id(span."spanId", 'spanId'),
                bad_id(span."parentSpanId", 'parentSpanId'),
                bad_name(scope_name, 'the name of the scope'),
                bad_name(provider_name, 'the provider'),
                bad_name(system, 'gen_ai.system'),
                bad_name(request_model, 'the model that was asked'),
                bad_name(response_model, 'the model that answered'),
                bad_name(provider_model, 'the model that the gateway asked'),
                bad_id(response_id, 'the id of the response'),
                bad_id(litellm_call_id, 'litellm.call_id'),
                bad_id(session_id, 'the session'),
                bad_id(user_id, 'the user'),
                bad_name(user_name, 'the name of the user'),
                bad_id(end_user, 'the end user'),
                bad_id(team_id, 'the team'),
                bad_name(key_alias, 'the alias of the key'),
                bad_id(resource_user_id, 'the user of the resource'),
                bad_name(resource_user_name, 'the name of the user of the resource'),
                bad_id(resource_session_id, 'the session of the resource'),
                bad_id(resource_team_id, 'the team of the resource')
            )
        end as reject_reason,
        {
            'traceId': span."traceId", 'spanId': span."spanId",
            'startTimeUnixNano': span."startTimeUnixNano",
            'endTimeUnixNano': span."endTimeUnixNano",
            'attributes': map_from_entries(list_filter(
                map_entries(attributes),
                lambda entry: entry.key like 'gen_ai.usage.%' or entry.key like 'gen_ai.%.model'
                    or entry.key like 'llm.token_count.%' or entry.key like 'ai.usage.%'
            ))
        } as reject_text,
        landing_file,
        line_number
    from kept
    where
        span is null
        or has_an_attribute_twice
        or is_genai
        or tells_who
        -- A mere link, if it can be one; nobody counts it, so it is no bad record either.
        or (
            regexp_full_match(span."parentSpanId", '[!-~]{1,64}')
            and regexp_full_match(span."spanId", '[!-~]{1,64}')
            and regexp_full_match(span."traceId", '[!-~]{1,64}')
            and started_at between timestamp '2000-01-01' and cast(now() as timestamp)
        )
)

-- A bad record is one, whatever days it touches.
select
    * exclude (event_dates),
    unnest(case when reject_reason = '' then event_dates else event_dates[:1] end) as event_date
from judged
