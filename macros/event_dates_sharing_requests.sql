{# The UTC days that hold an event of any request that has an event on one of the given days: those
   days themselves, and the few others on which a delivery of the same request lies.
   `event_dates` is a query with the column event_date. #}
{% macro event_dates_sharing_requests(event_dates) -%}
    select distinct event_date
    from {{ ref('int_requests_unioned') }}
    where request_id in (
        select request_id from {{ ref('int_requests_unioned') }}
        where event_date in (select event_date from ({{ event_dates }}))
    )
{%- endmacro %}
