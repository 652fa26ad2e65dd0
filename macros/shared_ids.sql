{# The events that have one of the ids. A lookup each, since a list is searched row by row. #}
{% macro events_that_share_an_id(events, ids) -%}
    select * from {{ events }}
    where
        call_id in (select id from {{ ids }})
        or trace_id in (select id from {{ ids }})
        {%- for number in [1, 2, 3] %}
            or response_ids[{{ number }}] in (select id from {{ ids }})
        {%- endfor %}
{%- endmacro %}

{# Whether a call on the other side of a UTC midnight may be the same one, see is_alike. #}
{% macro is_near_midnight(at) -%}
    (
        cast({{ at }} as time) < time '00:10:00' or cast({{ at }} as time) >= time '23:50:00'
    )
{%- endmacro %}
