{# What averages of responses are made of, beside response times: each average is over the responses
   that tell it. #}
{% macro response_sums() -%}
    cast(sum(output_tokens) filter (where status = 'success') as bigint) as response_output_tokens,
    count(output_tokens) filter (where status = 'success') as responses_with_output_tokens,
    cast(
        sum(output_tokens) filter (
            where status = 'success' and response_time_ms is not null
        ) as bigint
    ) as timed_output_tokens,
    sum(response_time_ms) filter (
        where status = 'success' and output_tokens is not null
    ) as output_time_ms,
    sum(time_to_first_token_ms) filter (where status = 'success') as total_time_to_first_token_ms,
    count(time_to_first_token_ms) filter (where status = 'success') as timed_time_to_first_token_ms
{%- endmacro %}
