{{ config(materialized='view') }}

with reported as (

    {% for model in models_of_calls(spans='int_spans') %}
        select * from {{ ref(model) }}
        {% if model != 'int_spans' %}
            where event_date in (select event_date from {{ ref('int_event_dates_to_read') }})
        {% endif %}
        {{ 'union all by name' if not loop.last }}
    {% endfor %}

),

named as (

    select
        * replace ({{ provider_name('provider', 'model') }} as provider),
        {{ user_of('owner_id', 'end_user_id', 'key_alias', 'not_by_a_person') }} as user_id
    from reported

),

-- From here on nobody's name is told where users are hidden.
events as (

    select
        * exclude (owner_id, key_alias, not_by_a_person)
        replace (
            {{ model_name('model', 'provider') }} as model,
            {{ region('region', 'model', 'provider') }} as region,
            {{ service_tier('service_tier') }} as service_tier,
            coalesce(is_sum_of_calls, false) as is_sum_of_calls,
            {{ hidden_user('user_id') }} as user_id,
            case when {{ is_an_id('end_user_id') }} then {{ hidden('end_user_id') }} end
                as end_user_id,
            -- A name without an id names nobody, and the owner's name is not the end user's.
            case
                when user_id = owner_id
                    then {{ 'cast(null as varchar)' if users_are_hidden() else 'user_name' }}
            end as user_name
        )
    from named

),

-- What a total tells of the input or the output, if one of them is not told.
with_both as (

    select
        * replace (
            case
                when input_tokens is null and total_tokens >= coalesce(output_tokens, 0)
                    then total_tokens - coalesce(output_tokens, 0)
                else input_tokens
            end as input_tokens,
            case
                when output_tokens is null and total_tokens >= input_tokens
                    then total_tokens - input_tokens
                else output_tokens
            end as output_tokens
        )
    from events

),

told as (

    select
        *,
        coalesce(cache_read_tokens, 0) + coalesce(cache_write_tokens, 0) as cache_tokens,
        coalesce(reasoning_tokens, 0) as thought_tokens,
        total_tokens - input_tokens - output_tokens as beyond_input_and_output,
        coalesce(cache_read_tokens, cache_write_tokens, reasoning_tokens) is null as tells_no_part,
        coalesce(
            input_tokens, output_tokens, total_tokens,
            cache_read_tokens, cache_write_tokens, reasoning_tokens
        ) is not null as has_usage
    from with_both

),

settled as (

    select
        *,
        coalesce(input_tokens, 0) + case
            when
                {{ is_beside(
                    'cache_tokens', 'thought_tokens', 'input_tokens', 'cache_tokens_are'
                ) }}
                then cache_tokens
            else 0
        end as all_input_tokens,
        coalesce(output_tokens, 0) + case
            when
                {{ is_beside(
                    'thought_tokens', 'cache_tokens', 'output_tokens', 'reasoning_tokens_are'
                ) }}
                then thought_tokens
            -- What is neither told as input nor as output came out: thoughts, mostly.
            when tells_no_part and beyond_input_and_output > 0 then beyond_input_and_output
            else 0
        end as all_output_tokens
    from told

),

-- A part that is larger than its whole is cut to it.
cut as (

    select
        *,
        least(coalesce(cache_read_tokens, 0), all_input_tokens) as cache_read,
        least(
            coalesce(cache_write_tokens, 0),
            all_input_tokens - least(coalesce(cache_read_tokens, 0), all_input_tokens)
        ) as cache_write,
        least(thought_tokens, all_output_tokens) as thought
    from settled

),

-- Null where the event does not tell its usage: another event of the request may.
disjoint_tokens as (

    select
        * exclude (
            input_tokens, cache_read_tokens, cache_write_tokens, output_tokens, reasoning_tokens,
            total_tokens, cache_tokens_are, reasoning_tokens_are, cache_tokens, thought_tokens,
            beyond_input_and_output, all_input_tokens, all_output_tokens, cache_read, cache_write,
            thought, tells_no_part
        ),
        case when has_usage then all_input_tokens - cache_read - cache_write end
            as input_uncached_tokens,
        case when has_usage then cache_read end as cache_read_tokens,
        case when has_usage then cache_write end as cache_write_tokens,
        case when has_usage then all_output_tokens - thought end as output_tokens_without_reasoning,
        case when has_usage then thought end as reasoning_tokens,
        cache_read + cache_write < cache_tokens or thought < thought_tokens as is_part_cut
    from cut

)

select * from disjoint_tokens
