{# The service tier as it is priced, whatever a provider, a gateway or an SDK calls it. One that is not
   listed stays as it was told; null where none was. Sources: OpenAI's service_tier (auto, default,
   flex, scale, priority), Anthropic's (standard, standard_only, priority, batch) and speed (normal,
   fast), Groq's on_demand, Gemini's trafficType (ON_DEMAND, ON_DEMAND_PRIORITY, ON_DEMAND_FLEX,
   PROVISIONED_THROUGHPUT). #}
{% macro service_tier(told) -%}
    {%- set tier = "replace(replace(lower(" ~ told ~ "), '-', '_'), 'on_demand_', '')" -%}
    case
        when {{ told }} is null then null
        when
            {{ tier }} in (
                'standard', 'default', 'auto', 'on_demand', 'standard_only', 'normal', 'regular'
            )
            then 'standard'
        when not {{ is_an_id(tier) }} or {{ tier }} like '%unspecified' then null
        else {{ tier }}
    end
{%- endmacro %}
