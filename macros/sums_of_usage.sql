{# What adds up of usage, summed from int_usage_hourly, or from sums of it. #}
{% macro sums_of_usage() -%}
    {%- for measure in [
        'requests', 'responses', 'failed_requests', 'input_tokens', 'output_tokens',
        'total_tokens', 'timed_responses', 'response_output_tokens',
        'responses_with_output_tokens', 'timed_output_tokens', 'timed_time_to_first_token_ms'
    ] %}
        cast(sum({{ measure }}) as bigint) as {{ measure }},
    {%- endfor %}
    {%- for measure in [
        'total_response_time_ms', 'output_time_ms', 'total_time_to_first_token_ms',
        'cost_usd', 'reported_cost_usd'
    ] %}
        sum({{ measure }}) as {{ measure }},
    {%- endfor %}
    {{ sum_not_told() }}
{%- endmacro %}
