-- Each line as text, and then each field with its type, by all workers at once.
create unlogged table lines (line text);
-- Characters that no JSON text contains, so that COPY takes a line as one value.
\copy lines from :events_file (format csv, delimiter e'\x02', quote e'\x01')

create unlogged table events as
select
    request_id,
    requested_at at time zone 'UTC' as requested_at,
    provider,
    model,
    user_id,
    user_name,
    team_id,
    session_id,
    prompt_id,
    status,
    error_type,
    is_cache_hit,
    input_tokens,
    cache_read_tokens,
    cache_write_tokens,
    output_tokens,
    reasoning_tokens,
    response_time_ms,
    time_to_first_token_ms,
    cost_usd,
    now() at time zone 'UTC' as landed_at
from
    lines,
    json_to_record(line::json) as event(
        request_id text, requested_at timestamptz, provider text, model text, user_id text,
        user_name text, team_id text, session_id text, prompt_id text, status text,
        error_type text, is_cache_hit boolean, input_tokens integer, cache_read_tokens integer,
        cache_write_tokens integer, output_tokens integer, reasoning_tokens integer,
        response_time_ms float8, time_to_first_token_ms float8, cost_usd numeric(20, 12)
    );

drop table lines;
analyze events;

create unlogged table prices (
    provider text, model text, valid_from timestamp, valid_to timestamp, daily_from time,
    daily_to time, input_tokens_above bigint, input_tokens_up_to bigint,
    input_uncached_price numeric(18, 12), cache_read_price numeric(18, 12),
    cache_write_price numeric(18, 12), output_price numeric(18, 12),
    reasoning_price numeric(18, 12), request_usd numeric(18, 9)
);
\copy prices from :prices_file (format csv, header)
create unlogged table ai_services (provider text, ai_service text);
\copy ai_services from :ai_services_file (format csv, header)
analyze prices, ai_services;
