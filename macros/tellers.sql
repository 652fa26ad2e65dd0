{# Who tells of a request first: see docs/identity.md. #}
{% macro teller_rank(teller='teller') -%}
    case
        when {{ teller }} = 'litellm_payload' then 1
        when {{ teller }} = 'litellm_table' then 2
        when not starts_with({{ teller }}, 'span of ') then 3
        else 4
    end
{%- endmacro %}

{# The order in which deliveries of a call count, the best first: see docs/identity.md. LiteLLM
   settles a row of its table afterwards, which its payload does not know: so of its own records the
   newer one goes first, and the payload where none says that it is newer.
   Users are in none of it, so that hiding them changes nothing. #}
{% macro best_delivery_first() -%}
    greatest({{ teller_rank() }}, 2),
    updated_at desc nulls last,
    coalesce(is_final, true) desc,
    {{ teller_rank() }},
    landed_at desc,
    has_usage desc,
    status = 'success' desc,
    completed_at desc nulls last,
    input_uncached_tokens + output_tokens_without_reasoning desc nulls last,
    landing_file,
    requested_at,
    model,
    hash(response_id, reported_cost_usd, first_token_at, cache_read_tokens, reasoning_tokens),
    hash(
        service_tier, region, web_searches,
        {{ finer_meters() | map(attribute='name') | join('_tokens, ') }}_tokens
    )
{%- endmacro %}
