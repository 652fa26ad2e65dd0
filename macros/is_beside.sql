{# Whether parts (cache tokens of the input, reasoning of the output) stand beside the whole that was
   told rather than within it. The total settles it where one was told: `beyond_input_and_output` is
   what it holds besides input and output. Else the sender's convention, 'within' or 'beside'; and
   where none is known, parts that do not fit stand beside. #}
{% macro is_beside(parts, other_parts, whole, convention, beyond_input_and_output='beyond_input_and_output') -%}
    case
        when {{ parts }} = 0 then false
        when {{ whole }} is null then true
        -- A total of input and output alone, from who counts parts beside, and they do not fit.
        when {{ beyond_input_and_output }} = 0
            then {{ parts }} > {{ whole }} and coalesce({{ convention }}, '') = 'beside'
        when {{ beyond_input_and_output }} = {{ parts }} + {{ other_parts }} then true
        when {{ beyond_input_and_output }} = {{ parts }} and {{ parts }} <> {{ other_parts }} then true
        when {{ beyond_input_and_output }} = {{ other_parts }} and {{ parts }} <> {{ other_parts }}
            then false
        when {{ convention }} is not null then {{ convention }} = 'beside'
        else {{ parts }} > {{ whole }}
    end
{%- endmacro %}
