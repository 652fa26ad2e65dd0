{# The measures that the reports of session averages share, over sessions that began on the day. #}
{% macro session_averages() -%}
    count(*) as sessions,
    sum(session_length_s) / count(*) as avg_session_length_s,
    quantile_cont(cast(session_length_s as double), 0.5) as p50_session_length_s,
    quantile_cont(cast(session_length_s as double), 0.95) as p95_session_length_s,
    sum(prompts) / count(*) as avg_prompts_per_session,
    sum(responses) / count(*) as avg_responses_per_session
{%- endmacro %}
