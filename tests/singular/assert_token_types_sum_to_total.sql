-- The five token types are disjoint and complete, and none is below zero. All are told or none.
select * from {{ ref('fct_requests') }}
where
    {{ token_types('input') | map(attribute='tokens') | join(' + ') }} <> input_tokens
    or {{ token_types('output') | map(attribute='tokens') | join(' + ') }} <> output_tokens
    or input_tokens + output_tokens <> total_tokens
    or (total_tokens is null)
    <> (coalesce({{ token_types() | map(attribute='tokens') | join(', ') }}) is null)
    or least({{ token_types() | map(attribute='tokens') | join(', ') }}) < 0
