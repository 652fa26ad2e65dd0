-- A table: its traces are followed once, and read several times.

with event_dates as (

    select * from {{ ref('int_event_dates_to_read') }}

),

token_conventions as (

    select * from {{ ref('token_conventions') }}

),

delivered as (

    select
        *,
        lower(operation) as operation_in_small_letters,
        coalesce(input_tokens, output_tokens, total_tokens) is not null as tells_usage,
        coalesce(cache_read_tokens, cache_write_tokens) is not null as tells_cached,
        reasoning_tokens is not null as tells_reasoning
    from {{ ref('stg_otel__spans') }}
    where event_date in (select event_date from event_dates)

),

-- How each sender counts. There are few, so each is compared with every rule.
senders as (

    select distinct
        'cache' as part,
        scope_name,
        provider,
        cache_attribute as attribute
    from delivered
    where tells_cached

    union all

    select distinct
        'reasoning' as part,
        scope_name,
        provider,
        reasoning_attribute as attribute
    from delivered
    where tells_reasoning

),

conventions as (

    select
        senders.*,
        token_conventions.tokens_are,
        token_conventions.is_left_out_of_total
    from senders
    inner join token_conventions
        on
            senders.part = token_conventions.part
            and lower(coalesce(senders.scope_name, '')) glob token_conventions.scope_pattern
            and lower(coalesce(senders.provider, '')) glob token_conventions.provider_pattern
            and lower(coalesce(senders.attribute, '')) glob token_conventions.attribute_pattern
    qualify
        row_number() over (
            partition by senders.part, senders.scope_name, senders.provider, senders.attribute
            order by
                length(token_conventions.scope_pattern) desc,
                length(token_conventions.provider_pattern) desc,
                length(token_conventions.attribute_pattern) desc,
                token_conventions.tokens_are
        ) = 1

),

-- What a span is by its operation: `nothing` never is a request; a `sum` is one if no request is
-- below it; a `call` is one even where it tells no usage; the `rest` if it does.
classified as (

    select
        delivered.*,
        cache.tokens_are as cache_tokens_are,
        reasoning.tokens_are as reasoning_tokens_are,
        coalesce(cache.is_left_out_of_total, reasoning.is_left_out_of_total, false)
            as total_settles_nothing,
        case
            when
                regexp_matches(
                    delivered.operation_in_small_letters,
                    '^(execute_)?tool$|toolcall$|tool_call$|^mcp$|mcp_tool|^retriev(al|e|er)$'
                    || '|^vectordb$|vector_store|^evaluat(e|ion|or)$|^guardrail$|count_tokens'
                )
                then 'nothing'
            when
                regexp_matches(
                    delivered.operation_in_small_letters,
                    'agent|workflow|chain|task|team|crew|graph|flow|framework|interaction|^plan$'
                    || '|^span$|_step$'
                )
                then 'sum'
            when
                regexp_matches(
                    delivered.operation_in_small_letters,
                    'batch|file|fetch|_get_|^a?get_|delete|cancel|list|count|moderation|retrieve'
                )
                then 'rest'
            when
                delivered.operation_in_small_letters is null
                or regexp_matches(
                    delivered.operation_in_small_letters,
                    'chat|complet|generat|embed|responses$|messages|llm|speech|transcri|image'
                    || '|audio|ocr$|realtime|stream|converse|invoke_model|inference|model_request'
                )
                then 'call'
            else 'rest'
        end as kind
    from delivered
    left join conventions as cache
        on
            cache.part = 'cache'
            and delivered.tells_cached
            and delivered.scope_name is not distinct from cache.scope_name
            and delivered.provider is not distinct from cache.provider
            and delivered.cache_attribute is not distinct from cache.attribute
    left join conventions as reasoning
        on
            reasoning.part = 'reasoning'
            and delivered.tells_reasoning
            and delivered.scope_name is not distinct from reasoning.scope_name
            and delivered.provider is not distinct from reasoning.provider
            and delivered.reasoning_attribute is not distinct from reasoning.attribute

),

told as (

    select
        * replace (case when not total_settles_nothing then total_tokens end as total_tokens),
        coalesce(
            case when not total_settles_nothing then total_tokens end,
            coalesce(input_tokens, 0) + coalesce(output_tokens, 0)
            + case
                when cache_tokens_are = 'beside'
                    then coalesce(cache_read_tokens, 0) + coalesce(cache_write_tokens, 0)
                else 0
            end
            + case
                when reasoning_tokens_are = 'beside' then coalesce(reasoning_tokens, 0)
                else 0
            end
        ) as tokens
    from classified

),

-- A span may be delivered again, and one that only tells who asked is stored in each of its days.
distinct_spans as (

    select
        trace_id,
        span_id,
        max(parent_span_id) as parent_span_id,
        max(tokens) as tokens,
        bool_or(is_genai) as is_genai,
        -- Zeros are no usage to look for among parents and children.
        bool_or(is_genai and kind <> 'nothing' and tokens > 0) as has_tokens,
        bool_or(is_genai and kind = 'call' and (model is not null or tells_usage)) as is_call,
        bool_or(status = 'failure') as is_failure,
        -- A name without an id names nobody.
        max({ 'id': owner_id, 'name': user_name }) filter (where owner_id is not null) as owner,
        max(key_alias) as key_alias,
        max(end_user_id) as end_user_id,
        max(team_id) as team_id,
        max(session_id) as session_id
    from told
    group by trace_id, span_id

),

traces as (

    select
        trace_id,
        case when count(distinct owner.id) = 1 then max(owner) end as owner,
        case when count(distinct session_id) = 1 then max(session_id) end as session_id
    from distinct_spans
    group by trace_id
    having count(*) > 1 and bool_or(is_genai)

),

links as (

    select
        trace_id,
        span_id,
        parent_span_id
    from distinct_spans
    where parent_span_id is not null and trace_id in (select trace_id from traces)

),

-- All that stands above a GenAI span, and how far. What comes back to where it was at a distance
-- that is a power of two has been led in a circle, and stops (Brent, An Improved Monte Carlo
-- Factorization Algorithm); a chain of more than 200 is not followed further.
chains as (

    with recursive chain as (

        select
            links.trace_id,
            links.span_id,
            links.parent_span_id as above_id,
            links.span_id as mark_id,
            1 as distance
        from links
        inner join distinct_spans using (trace_id, span_id)
        where distinct_spans.is_genai

        union all

        select
            chain.trace_id,
            chain.span_id,
            links.parent_span_id as above_id,
            case when bit_count(chain.distance) = 1 then chain.above_id else chain.mark_id end
                as mark_id,
            chain.distance + 1 as distance
        from chain
        inner join links on chain.trace_id = links.trace_id and chain.above_id = links.span_id
        where chain.above_id not in (chain.span_id, chain.mark_id) and chain.distance < 200

    )

    select * from chain

),

circles as (

    select
        trace_id,
        span_id
    from chains
    where above_id = span_id

),

-- In a circle nobody is above anybody.
above as (

    select
        chains.trace_id,
        chains.span_id,
        chains.above_id,
        chains.distance,
        spans_above.has_tokens,
        spans_above.is_call,
        spans_above.owner,
        spans_above.key_alias,
        spans_above.end_user_id,
        spans_above.team_id,
        spans_above.session_id
    from chains
    inner join distinct_spans as spans_above
        on chains.trace_id = spans_above.trace_id and chains.above_id = spans_above.span_id
    anti join circles
        on chains.trace_id = circles.trace_id and chains.span_id = circles.span_id

),

-- Of each span what the nearest above it tells.
inherited as (

    select
        trace_id,
        span_id,
        arg_min(owner, distance) filter (where owner is not null) as owner,
        arg_min(key_alias, distance) as key_alias,
        arg_min(end_user_id, distance) as end_user_id,
        arg_min(team_id, distance) as team_id,
        arg_min(session_id, distance) as session_id,
        arg_min(above_id, distance) filter (where has_tokens) as teller_id
    from above
    group by trace_id, span_id

),

-- A chain that leads into a circle may meet a span in it twice.
pairs as (

    select distinct
        trace_id,
        span_id,
        above_id
    from above

),

-- What is below a span: whether something tells tokens or is a call, and how many tokens those
-- tell that are next to it in telling any.
below as (

    select
        above.trace_id,
        above.above_id as span_id,
        bool_or(spans_below.has_tokens) as has_tokens,
        bool_or(spans_below.is_call) as has_calls,
        sum(spans_below.tokens) filter (
            where spans_below.has_tokens and inherited.teller_id = above.above_id
        ) as tokens
    from pairs as above
    inner join distinct_spans as spans_below using (trace_id, span_id)
    inner join inherited using (trace_id, span_id)
    where spans_below.has_tokens or spans_below.is_call
    group by above.trace_id, above.above_id

),

-- Of those that tell tokens the innermost.
tellers as (

    select
        distinct_spans.trace_id,
        distinct_spans.span_id
    from distinct_spans
    left join below using (trace_id, span_id)
    where distinct_spans.has_tokens and below.has_tokens is not true

),

-- A call that tells none is one by itself, unless it has others below it, or its tokens are told
-- above it: those of a failure are not.
told_above as (

    select distinct
        above.trace_id,
        above.span_id
    from above
    inner join tellers
        on above.trace_id = tellers.trace_id and above.above_id = tellers.span_id

),

resolved as (

    select
        distinct_spans.trace_id,
        distinct_spans.span_id,
        case
            when distinct_spans.has_tokens then below.has_tokens is not true
            else
                distinct_spans.is_call
                and below.has_tokens is not true
                and below.has_calls is not true
                and (distinct_spans.is_failure or told_above.span_id is null)
        end as is_request,
        case
            when distinct_spans.has_tokens and below.has_tokens
                then nullif(cast(greatest(distinct_spans.tokens - below.tokens, 0) as bigint), 0)
        end as tokens_only_in_parents,
        inherited.owner,
        inherited.key_alias,
        inherited.end_user_id,
        inherited.team_id,
        inherited.session_id,
        traces.owner as trace_owner,
        traces.session_id as trace_session_id
    from distinct_spans
    left join below using (trace_id, span_id)
    left join told_above using (trace_id, span_id)
    left join inherited using (trace_id, span_id)
    left join traces using (trace_id)
    where distinct_spans.is_genai

),

-- Who asked: the span itself, then those above it, then what sent it, then what else is told in
-- the trace, if that is but one.
named as (

    select
        told.*,
        resolved.is_request,
        resolved.tokens_only_in_parents,
        coalesce(
            case
                when told.owner_id is not null
                    then { 'id': told.owner_id, 'name': told.user_name }
            end,
            resolved.owner,
            case
                when told.resource_owner_id is not null
                    then { 'id': told.resource_owner_id, 'name': told.resource_user_name }
            end,
            resolved.trace_owner
        ) as owner,
        coalesce(told.key_alias, resolved.key_alias) as key_alias_told,
        coalesce(told.end_user_id, resolved.end_user_id) as end_user_id_told,
        coalesce(told.team_id, resolved.team_id, told.resource_team_id) as team_id_told,
        coalesce(
            told.session_id, resolved.session_id, told.resource_session_id,
            resolved.trace_session_id
        ) as reported_session_id
    from told
    inner join resolved using (trace_id, span_id)
    where told.is_genai

),

final as (

    select
        -- ids
        call_id,
        'otel' as source,
        -- Two SDKs may tell of one call, one does not tell of it twice.
        concat('span of ', scope_name) as teller,
        response_id,
        case when is_cache_hit then [] else response_ids end as response_ids,
        trace_id,
        -- Whatever happens under one trace answers one thing that a user asked.
        trace_id as prompt_id,
        reported_session_id,
        false as is_session_id_doubtful,

        -- who
        owner.id as owner_id,
        owner.name as user_name,
        key_alias_told as key_alias,
        end_user_id_told as end_user_id,
        team_id_told as team_id,
        case
            when
                list_contains(
                    [owner.id, team_id_told, key_alias_told], 'litellm-internal-health-check'
                )
                then 'health check'
        end as not_by_a_person,

        -- text
        provider,
        coalesce(model, 'unknown') as model,
        requested_model,
        operation,
        case when not is_request then coalesce(operation, 'span') end as left_out_as,
        status,
        error_type,
        cache_tokens_are,
        reasoning_tokens_are,
        service_tier,
        region,

        -- numbers
        input_tokens,
        cache_read_tokens,
        cache_write_tokens,
        output_tokens,
        reasoning_tokens,
        {%- for meter in finer_meters() %}
            {{ meter.name }}_tokens,
        {%- endfor %}
        web_searches,
        total_tokens,
        tokens_only_in_parents,
        reported_cost_usd,

        -- booleans
        is_cache_hit,
        is_client_view,
        -- An agent's span that alone tells tokens adds up its calls.
        kind = 'sum' as is_sum_of_calls,
        cast(null as boolean) as is_final,

        -- times
        requested_at,
        first_token_at,
        completed_at,
        cast(null as timestamp) as updated_at,
        landed_at,
        landing_file,
        event_date
    from named

)

select * from final
