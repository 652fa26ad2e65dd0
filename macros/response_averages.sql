{# The measures that the reports of response averages share, from int_usage_daily. Averages are over
   responses, that is requests that succeeded, and null where there are none. #}
{% macro response_averages() -%}
    responses,
    -- A day past retention may be of a time when a response without usage had none.
    response_output_tokens / nullif(coalesce(responses_with_output_tokens, responses), 0)
        as avg_output_tokens,
    total_response_time_ms / nullif(timed_response_time_ms, 0) as avg_response_time_ms,
    p50_response_time_ms,
    p95_response_time_ms,
    p99_response_time_ms,
    total_time_to_first_token_ms / nullif(timed_time_to_first_token_ms, 0)
        as avg_time_to_first_token_ms,
    timed_output_tokens * 1000 / nullif(coalesce(output_time_ms, total_response_time_ms), 0)
        as output_tokens_per_second,
    failed_requests / requests as error_rate,
    requests_without_usage
{%- endmacro %}
