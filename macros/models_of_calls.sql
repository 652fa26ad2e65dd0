{# The models that tell of calls, one for each source: a source is added here. Those of spans are
   `spans`: int_spans, where the days to read are known, else what it is made of. #}
{% macro models_of_calls(spans) -%}
    {{ return(['stg_gateway__requests', 'stg_litellm__requests', spans]) }}
{%- endmacro %}
