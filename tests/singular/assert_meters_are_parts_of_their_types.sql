-- What meters hold is a part of their type of tokens: never below zero, together never more than
-- it, and never told where no usage is.
select * from {{ ref('fct_requests') }}
where
    {% for meter in meters() %}
        ({{ meter.tokens }}) < 0
        or (total_tokens is null and ({{ meter.tokens }}) is not null)
        {{ 'or' if not loop.last }}
    {% endfor %}
    or web_searches < 0
