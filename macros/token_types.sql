{# The types of tokens: disjoint, and together all of the input and all of the output. `tokens` is
   the column of a request's tokens of that type, <name>_usd_per_million_tokens that of their price. #}
{% macro token_types(part_of=none) -%}
    {%- set types = [
        {'name': 'input_uncached', 'part_of': 'input', 'tokens': 'input_uncached_tokens'},
        {'name': 'cache_read', 'part_of': 'input', 'tokens': 'cache_read_tokens'},
        {'name': 'cache_write', 'part_of': 'input', 'tokens': 'cache_write_tokens'},
        {'name': 'output', 'part_of': 'output', 'tokens': 'output_tokens_without_reasoning'},
        {'name': 'reasoning', 'part_of': 'output', 'tokens': 'reasoning_tokens'},
    ] -%}
    {{ return(types | selectattr('part_of', 'in', [part_of] if part_of else ['input', 'output']) | list) }}
{%- endmacro %}
