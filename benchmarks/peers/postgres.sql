-- The reports of floor.sql in PostgreSQL's SQL. `events`, `prices` and `ai_services` are loaded.
-- No index: every query reads the whole table.
-- One query a grain rather than grouping sets, which would sort on one core. Hashing what is
-- counted distinct before counting it was slower than sorting, and so was a number for each text.
create unlogged table repeated as
select request_id from events group by request_id having count(*) > 1;
analyze repeated;

create unlogged table requests as
with deduplicated as not materialized (
    select * from events where request_id not in (select request_id from repeated)
    union all
    (
        select distinct on (request_id) * from events
        where request_id in (select request_id from repeated)
        order by request_id
    )
),

pauses as (
    select
        *,
        requested_at - lag(requested_at) over (
            partition by user_id, requested_at::date order by requested_at, request_id
        ) <= interval '30 minutes' is true as goes_on
    from deduplicated
    where session_id is null
),

sessions as (
    select *, session_id as session, false as is_derived
    from deduplicated
    where session_id is not null
    union all
    select
        request_id, requested_at, provider, model, user_id, user_name, team_id, session_id,
        prompt_id, status, error_type, is_cache_hit, input_tokens, cache_read_tokens,
        cache_write_tokens, output_tokens, reasoning_tokens, response_time_ms,
        time_to_first_token_ms, cost_usd, landed_at,
        user_id || '/' || max(case when not goes_on then requested_at end) over (
            partition by user_id, requested_at::date order by requested_at, request_id
            rows between unbounded preceding and current row
        ),
        true
    from pauses
)

select
    request_id,
    prompt_id,
    session as session_id,
    is_derived,
    user_id,
    team_id,
    ai_service,
    sessions.provider,
    sessions.model,
    status = 'success' as is_success,
    error_type,
    is_cache_hit,
    input_tokens - cache_read_tokens - cache_write_tokens as input_uncached_tokens,
    cache_read_tokens,
    cache_write_tokens,
    output_tokens - reasoning_tokens as output_tokens_without_reasoning,
    reasoning_tokens,
    input_tokens,
    output_tokens,
    input_tokens + output_tokens as total_tokens,
    case
        when is_cache_hit or (status = 'failure' and input_tokens + output_tokens = 0) then 0
        else (
            (input_tokens - cache_read_tokens - cache_write_tokens) * input_uncached_price
            + cache_read_tokens * cache_read_price
            + cache_write_tokens * cache_write_price
            + (output_tokens - reasoning_tokens) * output_price
            + reasoning_tokens * reasoning_price
        ) * 0.000001
    end as cost_usd,
    input_uncached_price is null as is_unpriced,
    cost_usd as reported_cost_usd,
    requested_at,
    requested_at::date as usage_date,
    date_trunc('hour', requested_at) as usage_hour,
    requested_at + (response_time_ms * 1000)::bigint * interval '1 microsecond' as completed_at,
    (response_time_ms * 1000)::bigint as response_time_us,
    (time_to_first_token_ms * 1000)::bigint as time_to_first_token_us
from sessions
inner join ai_services using (provider)
left join prices
    on
        prices.provider = sessions.provider
        and prices.model = sessions.model
        and requested_at >= valid_from and requested_at < valid_to
        and requested_at::time >= daily_from and requested_at::time < daily_to
        and input_tokens > input_tokens_above and input_tokens <= input_tokens_up_to;
analyze requests;

-- By day: no report needs what adds up by user and hour.
create unlogged table daily as
select
    usage_date, user_id, ai_service, model,
    count(*) as requests,
    count(*) filter (where is_unpriced) as unpriced_requests,
    count(*) filter (where is_derived) as requests_without_session,
    sum(input_uncached_tokens) as input_uncached_tokens,
    sum(cache_read_tokens) as cache_read_tokens,
    sum(cache_write_tokens) as cache_write_tokens,
    sum(output_tokens_without_reasoning) as output_tokens_without_reasoning,
    sum(reasoning_tokens) as reasoning_tokens,
    sum(input_tokens) as input_tokens,
    sum(output_tokens) as output_tokens,
    sum(total_tokens) as total_tokens,
    coalesce(sum(total_tokens) filter (where cost_usd is null), 0) as unpriced_tokens,
    sum(cost_usd) as cost_usd,
    sum(reported_cost_usd) as reported_cost_usd
from requests
group by usage_date, user_id, ai_service, model;
analyze daily;

create unlogged table usage_by_day as
with usage as (
    select
        usage_date,
        count(*) as requests,
        count(*) filter (where is_success) as responses,
        count(*) filter (where not is_success) as failed_requests,
        count(distinct prompt_id) as prompts,
        count(distinct session_id) as sessions,
        count(distinct user_id) as active_users,
        count(distinct ai_service) as ai_services_used,
        sum(input_tokens) as input_tokens,
        sum(output_tokens) as output_tokens,
        sum(total_tokens) as total_tokens,
        sum(output_tokens) filter (where is_success) as response_output_tokens,
        sum(response_time_us) filter (where is_success) / 1000 as total_response_time_ms,
        sum(time_to_first_token_us) filter (where is_success) / 1000
            as total_time_to_first_token_ms,
        percentile_cont(array[0.5, 0.95, 0.99]) within group (
            order by response_time_us / 1000.0::float8
        ) filter (where is_success) as percentiles
    from requests group by usage_date
)

select
    usage_date, requests, responses, failed_requests, prompts, sessions, active_users,
    ai_services_used, input_tokens, output_tokens, total_tokens, response_output_tokens,
    total_response_time_ms, total_time_to_first_token_ms,
    percentiles[1] as p50_response_time_ms,
    percentiles[2] as p95_response_time_ms,
    percentiles[3] as p99_response_time_ms
from usage;

create unlogged table usage_by_ai_service as
with usage as (
    select
        usage_date, ai_service,
        count(*) as requests,
        count(*) filter (where is_success) as responses,
        count(*) filter (where not is_success) as failed_requests,
        count(distinct prompt_id) as prompts,
        count(distinct session_id) as sessions,
        count(distinct user_id) as active_users,
        1 as ai_services_used,
        sum(input_tokens) as input_tokens,
        sum(output_tokens) as output_tokens,
        sum(total_tokens) as total_tokens,
        sum(output_tokens) filter (where is_success) as response_output_tokens,
        sum(response_time_us) filter (where is_success) / 1000 as total_response_time_ms,
        sum(time_to_first_token_us) filter (where is_success) / 1000
            as total_time_to_first_token_ms,
        percentile_cont(array[0.5, 0.95, 0.99]) within group (
            order by response_time_us / 1000.0::float8
        ) filter (where is_success) as percentiles
    from requests group by usage_date, ai_service
)

select
    usage_date, ai_service, requests, responses, failed_requests, prompts, sessions, active_users,
    ai_services_used, input_tokens, output_tokens, total_tokens, response_output_tokens,
    total_response_time_ms, total_time_to_first_token_ms,
    percentiles[1] as p50_response_time_ms,
    percentiles[2] as p95_response_time_ms,
    percentiles[3] as p99_response_time_ms
from usage;

create unlogged table usage_by_user as
with usage as (
    select
        usage_date, user_id,
        count(*) as requests,
        count(*) filter (where is_success) as responses,
        count(*) filter (where not is_success) as failed_requests,
        count(distinct prompt_id) as prompts,
        count(distinct session_id) as sessions,
        1 as active_users,
        count(distinct ai_service) as ai_services_used,
        sum(input_tokens) as input_tokens,
        sum(output_tokens) as output_tokens,
        sum(total_tokens) as total_tokens,
        sum(output_tokens) filter (where is_success) as response_output_tokens,
        sum(response_time_us) filter (where is_success) / 1000 as total_response_time_ms,
        sum(time_to_first_token_us) filter (where is_success) / 1000
            as total_time_to_first_token_ms,
        percentile_cont(array[0.5, 0.95, 0.99]) within group (
            order by response_time_us / 1000.0::float8
        ) filter (where is_success) as percentiles
    from requests group by usage_date, user_id
)

select
    usage_date, user_id, requests, responses, failed_requests, prompts, sessions, active_users,
    ai_services_used, input_tokens, output_tokens, total_tokens, response_output_tokens,
    total_response_time_ms, total_time_to_first_token_ms,
    percentiles[1] as p50_response_time_ms,
    percentiles[2] as p95_response_time_ms,
    percentiles[3] as p99_response_time_ms
from usage;

create unlogged table user_prompts as
select usage_date, user_id, prompts, requests, responses from usage_by_user;

create unlogged table by_ai_hourly as
select
    usage_date, usage_hour, ai_service, count(*) as requests,
    count(*) filter (where not is_success) as failed_requests,
    count(distinct prompt_id) as prompts, count(distinct user_id) as active_users,
    sum(total_tokens) as total_tokens, sum(cost_usd) as cost_usd
from requests group by usage_date, usage_hour, ai_service;

create unlogged table tokens_by_day_and_ai as
select
    usage_date, ai_service, sum(input_tokens) as input_tokens,
    sum(output_tokens) as output_tokens, sum(total_tokens) as total_tokens,
    sum(requests) as requests, sum(cost_usd) as cost_usd
from daily group by usage_date, ai_service;

create unlogged table tokens_by_ai as
select
    ai_service, sum(input_tokens) as input_tokens,
    sum(output_tokens) as output_tokens, sum(total_tokens) as total_tokens,
    sum(requests) as requests, sum(cost_usd) as cost_usd,
    sum(total_tokens) / sum(sum(total_tokens)) over () as share_of_tokens
from daily group by ai_service;

create unlogged table tokens_by_user_and_ai as
select
    user_id, ai_service, sum(input_tokens) as input_tokens,
    sum(output_tokens) as output_tokens, sum(total_tokens) as total_tokens,
    sum(requests) as requests, sum(cost_usd) as cost_usd
from daily group by user_id, ai_service;

create unlogged table token_usage_details as
select usage_date, user_id, ai_service, model, token_type, tokens
from daily
cross join lateral (
    values
    ('input_uncached_tokens', input_uncached_tokens),
    ('cache_read_tokens', cache_read_tokens),
    ('cache_write_tokens', cache_write_tokens),
    ('output_tokens_without_reasoning', output_tokens_without_reasoning),
    ('reasoning_tokens', reasoning_tokens)
) as parts (token_type, tokens)
where tokens > 0;

create unlogged table requests_over_time as
select usage_hour, ai_service, requests, failed_requests, prompts from by_ai_hourly;

create unlogged table total_prompts_by_ai as
select
    ai_service, count(distinct prompt_id) as prompts, count(*) as requests,
    count(distinct prompt_id) / sum(count(distinct prompt_id)) over () as share_of_prompts
from requests group by ai_service;

create unlogged table cost_by_day_and_ai as
select
    usage_date, ai_service, sum(requests) as requests, sum(total_tokens) as total_tokens,
    sum(cost_usd) as cost_usd, sum(reported_cost_usd) as reported_cost_usd,
    sum(unpriced_tokens) as unpriced_tokens
from daily group by usage_date, ai_service;

create unlogged table cost_by_day_and_user as
select
    usage_date, user_id, sum(requests) as requests, sum(total_tokens) as total_tokens,
    sum(cost_usd) as cost_usd, sum(reported_cost_usd) as reported_cost_usd,
    sum(unpriced_tokens) as unpriced_tokens
from daily group by usage_date, user_id;

create unlogged table cost_by_day_ai_and_user as
select
    usage_date, ai_service, user_id, sum(requests) as requests,
    sum(total_tokens) as total_tokens, sum(cost_usd) as cost_usd,
    sum(reported_cost_usd) as reported_cost_usd, sum(unpriced_tokens) as unpriced_tokens
from daily group by usage_date, ai_service, user_id;

create unlogged table time_of_use as
select
    *, extract(hour from usage_hour) as hour_of_day, extract(isodow from usage_date) as weekday
from by_ai_hourly;

create unlogged table long_term_trends as
with periods (period_type) as (values ('week'), ('month')),

measured as (
    select
        period_type, date_trunc(period_type, usage_date::timestamp)::date as period_start,
        ai_service, count(*) as requests, count(distinct prompt_id) as prompts,
        count(distinct user_id) as active_users, sum(total_tokens) as total_tokens,
        sum(cost_usd) as cost_usd,
        avg(response_time_us) filter (where is_success) / 1000 as avg_response_time_ms
    from requests cross join periods
    group by period_type, period_start, ai_service
)

select
    *,
    requests::float8 / lag(requests) over (
        partition by period_type, ai_service order by period_start
    ) as requests_growth
from measured;

create unlogged table response_averages_by_ai as
select
    usage_date, ai_service, responses,
    response_output_tokens::float8 / responses as avg_output_tokens,
    total_response_time_ms / responses as avg_response_time_ms,
    p50_response_time_ms, p95_response_time_ms, p99_response_time_ms,
    total_time_to_first_token_ms / responses as avg_time_to_first_token_ms,
    response_output_tokens * 1000 / total_response_time_ms as output_tokens_per_second,
    failed_requests::float8 / requests as error_rate
from usage_by_ai_service;

create unlogged table response_averages_by_user as
select
    usage_date, user_id, responses,
    response_output_tokens::float8 / responses as avg_output_tokens,
    total_response_time_ms / responses as avg_response_time_ms,
    p50_response_time_ms, p95_response_time_ms, p99_response_time_ms,
    total_time_to_first_token_ms / responses as avg_time_to_first_token_ms,
    response_output_tokens * 1000 / total_response_time_ms as output_tokens_per_second,
    failed_requests::float8 / requests as error_rate
from usage_by_user;

create unlogged table sessions_by_ai as
select
    session_id, ai_service, min(usage_date) as usage_date,
    extract(epoch from max(completed_at) - min(requested_at))::float8 as session_length_s,
    count(distinct prompt_id) as prompts,
    count(*) filter (where is_success) as responses
from requests group by session_id, ai_service;

create unlogged table sessions_by_user as
select
    session_id, user_id, min(usage_date) as usage_date,
    extract(epoch from max(completed_at) - min(requested_at))::float8 as session_length_s,
    count(distinct prompt_id) as prompts,
    count(*) filter (where is_success) as responses
from requests group by session_id, user_id;
analyze sessions_by_ai, sessions_by_user;

create unlogged table session_averages_by_ai as
select
    usage_date, ai_service, count(*) as sessions, avg(session_length_s) as avg_session_length_s,
    percentile_cont(0.5) within group (order by session_length_s) as p50_session_length_s,
    percentile_cont(0.95) within group (order by session_length_s) as p95_session_length_s,
    avg(prompts) as avg_prompts_per_session, avg(responses) as avg_responses_per_session
from sessions_by_ai group by usage_date, ai_service;

create unlogged table session_averages_by_user as
select
    usage_date, user_id, count(*) as sessions, avg(session_length_s) as avg_session_length_s,
    percentile_cont(0.5) within group (order by session_length_s) as p50_session_length_s,
    percentile_cont(0.95) within group (order by session_length_s) as p95_session_length_s,
    avg(prompts) as avg_prompts_per_session, avg(responses) as avg_responses_per_session
from sessions_by_user group by usage_date, user_id;

create unlogged table response_times as
select
    usage_date, ai_service,
    case
        when response_time_us < 1000 then -1
        else floor(ln(response_time_us / 1000.0::float8) / ln(1.05::float8))
    end as bucket,
    count(*) as responses
from requests where is_success and response_time_us is not null
group by usage_date, ai_service, bucket;

create unlogged table session_lengths as
select
    usage_date, ai_service,
    case
        when session_length_s < 1 then -1 else floor(ln(session_length_s) / ln(1.05::float8))
    end as bucket,
    count(*) as sessions
from sessions_by_ai group by usage_date, ai_service, bucket;

create unlogged table data_quality as
with received as (
    select
        requested_at::date as usage_date, count(*) as events_received,
        count(*) filter (where landed_at::date > requested_at::date + 1) as late_events
    from events group by usage_date
),

built as (
    select
        usage_date, sum(requests) as requests, sum(unpriced_requests) as unpriced_requests,
        sum(requests_without_session) as requests_without_session
    from daily group by usage_date
)

select *, events_received - requests as duplicates
from received
inner join built using (usage_date);
