-- PostgreSQL's: rows of LiteLLM_SpendLogs as lines of text, with no more of them than records.sql
-- reads; spend_logs.py says what that is of metadata.
select
    {columns},
    case jsonb_typeof(cast(logs.metadata as jsonb))
        when 'object' then cast(jsonb_strip_nulls({metadata}) as text)
        when 'null' then null
        -- records.sql says of a question mark that it is not JSON, and the row is rejected.
        else case when logs.metadata is not null then '?' end
    end as metadata
from "LiteLLM_SpendLogs" as logs
-- Taken apart once: for each field anew PostgreSQL would unpack the whole document.
cross join lateral jsonb_to_record(
    case
        when jsonb_typeof(cast(logs.metadata as jsonb)) = 'object' then cast(logs.metadata as jsonb)
        else '{{}}'
    end
) as kept ({fields})
where {condition}
order by logs."startTime"
