{# Whether two calls that a witness joins may be one: nothing that both tell differs, and they began
   no more than ten minutes apart. A client knows a gateway's model by the name that it asks for, which
   the gateway may not tell, and takes whoever speaks OpenAI's protocol for OpenAI. The input of one may lack the cache where
   nobody knows how its sender counts; then the output must do, and an id too long to repeat. #}
{% macro is_alike(one, other) -%}
    (
        'unknown' in ({{ one }}.model, {{ other }}.model)
        or ({{ other }}.requested_model is null and length({{ one }}.witness) >= 20)
        or {{ one }}.model in ({{ other }}.model, coalesce({{ other }}.requested_model, ''))
        or {{ one }}.requested_model in ({{ other }}.model, coalesce({{ other }}.requested_model, ''))
    )
    and coalesce(
        {{ one }}.provider = {{ other }}.provider
        or ({{ teller_rank(one ~ '.teller') }} = 4 and {{ one }}.provider = 'openai')
        or ({{ teller_rank(other ~ '.teller') }} = 4 and {{ other }}.provider = 'openai'),
        true
    )
    and abs(date_diff('second', {{ one }}.requested_at, {{ other }}.requested_at)) <= 600
    and coalesce(
        {{ one }}.output_tokens = {{ other }}.output_tokens
        and ({{ one }}.input_tokens = {{ other }}.input_tokens or length({{ one }}.witness) >= 20),
        true
    )
{%- endmacro %}
