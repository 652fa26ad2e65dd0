{# Who tells of a request first: see docs/identity.md. #}
{% macro teller_rank(teller='teller') -%}
    case
        when {{ teller }} = 'litellm_payload' then 1
        when {{ teller }} = 'litellm_table' then 2
        when not starts_with({{ teller }}, 'span of ') then 3
        else 4
    end
{%- endmacro %}

{# The order in which deliveries of a call count, the best first: see docs/identity.md.
   Users are in none of it, so that hiding them changes nothing. #}
{% macro best_delivery_first() -%}
    {{ teller_rank() }},
    updated_at desc nulls last,
    coalesce(is_final, true) desc,
    landed_at desc,
    has_usage desc,
    status = 'success' desc,
    completed_at desc nulls last,
    input_uncached_tokens + output_tokens_without_reasoning desc nulls last,
    landing_file,
    requested_at,
    model,
    hash(response_id, reported_cost_usd, first_token_at, cache_read_tokens, reasoning_tokens)
{%- endmacro %}
