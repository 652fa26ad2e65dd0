{{ config(materialized='view') }}

with reported as (

    select * from {{ ref('stg_litellm__requests') }}
    union all by name
    select * from {{ ref('stg_otel__requests') }}
    union all by name
    select * from {{ ref('stg_gateway__requests') }}

),

-- From here on nobody's name is told where users are hidden.
events as (

    select
        * replace (
            {{ hidden('user_id') }} as user_id,
            {{ 'cast(null as varchar)' if users_are_hidden() else 'user_name' }} as user_name
        )
    from reported

),

-- Some report cache and reasoning tokens beside input and output rather than within them. Where
-- they do not fit within, they were beside.
totalled as (

    select
        *,
        coalesce(input_tokens, 0) + case
            when
                coalesce(cache_read_tokens, 0) + coalesce(cache_write_tokens, 0)
                > coalesce(input_tokens, 0)
                then coalesce(cache_read_tokens, 0) + coalesce(cache_write_tokens, 0)
            else 0
        end as all_input_tokens,
        coalesce(output_tokens, 0) + case
            when coalesce(reasoning_tokens, 0) > coalesce(output_tokens, 0)
                then coalesce(reasoning_tokens, 0)
            else 0
        end as all_output_tokens,
        coalesce(input_tokens, output_tokens) is not null as has_usage
    from events

),

disjoint_tokens as (

    select
        * exclude (
            input_tokens, cache_read_tokens, cache_write_tokens, output_tokens, reasoning_tokens,
            all_input_tokens, all_output_tokens
        ),
        -- Null where the event does not tell its usage: another event of the request may.
        case
            when has_usage
                then
                    all_input_tokens
                    - coalesce(cache_read_tokens, 0)
                    - coalesce(cache_write_tokens, 0)
        end as input_uncached_tokens,
        case when has_usage then coalesce(cache_read_tokens, 0) end as cache_read_tokens,
        case when has_usage then coalesce(cache_write_tokens, 0) end as cache_write_tokens,
        case when has_usage then all_output_tokens - coalesce(reasoning_tokens, 0) end
            as output_tokens_without_reasoning,
        case when has_usage then coalesce(reasoning_tokens, 0) end as reasoning_tokens
    from totalled

)

select * from disjoint_tokens
