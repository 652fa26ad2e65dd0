{# Where a model ran, as it was told, or as Azure has its data zone before the model (azure/eu/gpt-4o).
   Null where it may have been anywhere, or nothing is known. #}
{% macro region(told, model, provider) -%}
    coalesce(
        case
            when not {{ is_an_id(told) }} then null
            when lower({{ told }}) not in ('global', 'not_available') then lower({{ told }})
        end,
        case
            when {{ provider }} = 'azure' and contains({{ model }}, '/')
                then nullif(regexp_extract({{ model }}, '^(?:azure[^/]*/)?(eu|us)/', 1), '')
        end
    )
{%- endmacro %}
