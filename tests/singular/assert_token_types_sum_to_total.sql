-- The five token types are disjoint and complete, and none is below zero.
select * from {{ ref('fct_requests') }}
where
    input_uncached_tokens + cache_read_tokens + cache_write_tokens <> input_tokens
    or output_tokens_without_reasoning + reasoning_tokens <> output_tokens
    or input_tokens + output_tokens <> total_tokens
    or cache_read_tokens + cache_write_tokens > input_tokens
    or reasoning_tokens > output_tokens
