-- PostgreSQL's: rows of LiteLLM_SpendLogs as lines of text, with no more of them than records.sql
-- reads. The other columns, and the other fields of metadata, may hold prompts and answers.
select
    {columns},
    case jsonb_typeof(cast(logs.metadata as jsonb))
        when 'object' then cast(jsonb_strip_nulls(jsonb_build_object(
            'user_api_key_user_id', kept.user_api_key_user_id,
            'user_api_key_team_id', kept.user_api_key_team_id,
            'requester_metadata', jsonb_build_object(
                'session_id', kept.requester_metadata -> 'session_id'
            ),
            'error_information', jsonb_build_object(
                'error_code', kept.error_information -> 'error_code',
                'error_class', kept.error_information -> 'error_class'
            ),
            'usage_object', jsonb_build_object(
                'total_tokens', kept.usage_object -> 'total_tokens',
                'cache_read_input_tokens', kept.usage_object -> 'cache_read_input_tokens',
                'cache_creation_input_tokens', kept.usage_object -> 'cache_creation_input_tokens',
                'prompt_tokens_details', jsonb_build_object(
                    'cached_tokens',
                    kept.usage_object #> '{{prompt_tokens_details,cached_tokens}}',
                    'cache_write_tokens',
                    kept.usage_object #> '{{prompt_tokens_details,cache_write_tokens}}',
                    'cache_creation_tokens',
                    kept.usage_object #> '{{prompt_tokens_details,cache_creation_tokens}}'
                ),
                'completion_tokens_details', jsonb_build_object(
                    'reasoning_tokens',
                    kept.usage_object #> '{{completion_tokens_details,reasoning_tokens}}'
                )
            )
        )) as text)
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
) as kept (
    user_api_key_user_id jsonb, user_api_key_team_id jsonb, requester_metadata jsonb,
    error_information jsonb, usage_object jsonb
)
where {condition}
order by logs."startTime"
