{# The model's name without the way to it: the provider before it (azure/gpt-4o), if it is `provider`
   once normalised; what names a resource or an interface (models/, converse/); Azure's data zone.
   Of a model that a router knows by vendor and name (openai/gpt-4o at OpenRouter) both stay. Which
   model a name, a date or a region in it means, genai-prices decides. #}
{% macro model_name(model, provider) -%}
    {%- set resource = "^(publishers/[^/]+/models/|models/|converse/|invoke/|litellm_proxy/)" -%}
    {%- set inner = "substr(" ~ model ~ ", strpos(" ~ model ~ ", '/') + 1)" -%}
    case
        when strpos({{ model }}, '/') = 0 then {{ model }}
        when {{ provider }} = 'azure'
            then regexp_replace({{ model }}, '^(azure[^/]*/)?((eu|us|global|global-standard)/)?', '')
        when {{ provider_name("split_part(" ~ model ~ ", '/', 1)", 'null') }} = {{ provider }}
            then regexp_replace({{ inner }}, '{{ resource }}', '')
        else regexp_replace({{ model }}, '{{ resource }}', '')
    end
{%- endmacro %}
