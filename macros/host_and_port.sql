{# The server that a span was sent to, as host:port. Dialects tell it by its address or by a URL, and
   clients leave out the port that the protocol implies. Null where neither can be read. #}
{% macro host_and_port(address, port, url) -%}
    {%- set host = "nullif(regexp_extract(" ~ url ~ ", '^[a-z]+://([^/]+)', 1), '')" -%}
    case
        when {{ address }} is not null then {{ address }} || ':' || coalesce({{ port }}, '443')
        when {{ host }} like '%:%' then {{ host }}
        when {{ url }} like 'http:%' then {{ host }} || ':80'
        else {{ host }} || ':443'
    end
{%- endmacro %}
