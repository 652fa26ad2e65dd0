{# The meters: what a type of tokens is split into where a part of it has a price of its own, as
   genai-prices has them. The finer ones are columns `<name>_tokens` of a request, null where they were
   not told; the plain rest of each type is `rest`, and bears the type's name. #}
{% macro finer_meters(type=none) -%}
    {%- set meters = [
        {'name': 'input_audio', 'type': 'input_uncached'},
        {'name': 'input_image', 'type': 'input_uncached'},
        {'name': 'input_video', 'type': 'input_uncached'},
        {'name': 'cache_audio_read', 'type': 'cache_read'},
        {'name': 'cache_write_5m', 'type': 'cache_write'},
        {'name': 'cache_write_1h', 'type': 'cache_write'},
        {'name': 'output_audio', 'type': 'output'},
        {'name': 'output_image', 'type': 'output'},
        {'name': 'output_video', 'type': 'output'},
    ] -%}
    {{ return(meters if type is none else meters | selectattr('type', 'equalto', type) | list) }}
{%- endmacro %}

{# All meters, disjoint: the plain rest of each type, and what is finer. `tokens` is an expression of
   a request's columns, null where no usage was told. #}
{% macro meters() -%}
    {%- set all = [] -%}
    {%- for type in token_types() -%}
        {%- set parts = [] -%}
        {%- for meter in finer_meters(type.name) -%}
            {%- do parts.append(' - coalesce(' ~ meter.name ~ '_tokens, 0)') -%}
            {%- do all.append({
                'name': meter.name, 'type': type.name, 'part_of': type.part_of,
                'tokens': meter.name ~ '_tokens'
            }) -%}
        {%- endfor -%}
        {%- do all.append({
            'name': type.name, 'type': type.name, 'part_of': type.part_of,
            'tokens': type.tokens ~ parts | join
        }) -%}
    {%- endfor -%}
    {{ return(all) }}
{%- endmacro %}
