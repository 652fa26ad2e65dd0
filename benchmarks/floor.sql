-- The least that does the same work on the benchmark's events, straight in DuckDB: the request
-- table written once, what adds up and what does not added up once, then every report. No test, no
-- second source, no incremental rebuild, no publication; all the same the same figures.
-- $raw: the typed events. prices: a table of unit prices. ai_services: provider to name.
create table requests as
with events as (
    select * from read_parquet('$raw', hive_types = {'event_date': date})
),

repeated as (
    select request_id from events group by request_id having count(*) > 1
),

deduplicated as (
    select * from events where request_id not in (select request_id from repeated)
    union all
    select distinct on (request_id) * from events
    where request_id in (select request_id from repeated)
),

pauses as (
    select
        *,
        requested_at - lag(requested_at) over (
            partition by user_id, cast(requested_at as date) order by requested_at, request_id
        ) <= interval 30 minutes is true as goes_on
    from deduplicated
    where session_id is null
),

sessions as (
    select * from deduplicated where session_id is not null
    union all by name
    select
        * exclude (goes_on)
            replace (
                user_id || '/' || max(case when not goes_on then requested_at end) over (
                    partition by user_id, cast(requested_at as date)
                    order by requested_at, request_id
                    rows between unbounded preceding and current row
                ) as session_id
            ),
        true as is_derived
    from pauses
)

select
    request_id,
    prompt_id,
    session_id,
    is_derived is true as is_derived,
    user_id,
    team_id,
    ai_service,
    sessions.provider,
    sessions.model,
    status,
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
    cast(requested_at as date) as usage_date,
    date_trunc('hour', requested_at) as usage_hour,
    requested_at + to_microseconds(cast(response_time_ms * 1000 as bigint)) as completed_at,
    cast(cast(response_time_ms * 1000 as bigint) * 0.001 as decimal(18, 3)) as response_time_ms,
    cast(cast(time_to_first_token_ms * 1000 as bigint) * 0.001 as decimal(18, 3))
        as time_to_first_token_ms
from sessions
inner join ai_services using (provider)
left join prices
    on
        prices.provider = sessions.provider
        and prices.model = sessions.model
        and requested_at >= valid_from and requested_at < valid_to
        and cast(requested_at as time) >= daily_from and cast(requested_at as time) < daily_to
        and input_tokens > input_tokens_above and input_tokens <= input_tokens_up_to;

create table hourly as
select
    usage_date, usage_hour, user_id, ai_service, provider, model,
    count(*) as requests,
    count(*) filter (is_unpriced) as unpriced_requests,
    count(*) filter (is_derived) as requests_without_session,
    sum(input_uncached_tokens)::bigint as input_uncached_tokens,
    sum(cache_read_tokens)::bigint as cache_read_tokens,
    sum(cache_write_tokens)::bigint as cache_write_tokens,
    sum(output_tokens_without_reasoning)::bigint as output_tokens_without_reasoning,
    sum(reasoning_tokens)::bigint as reasoning_tokens,
    sum(input_tokens)::bigint as input_tokens,
    sum(output_tokens)::bigint as output_tokens,
    sum(total_tokens)::bigint as total_tokens,
    coalesce(sum(total_tokens) filter (cost_usd is null), 0)::bigint as unpriced_tokens,
    sum(response_time_ms) filter (status = 'success') as total_response_time_ms,
    count(response_time_ms) filter (status = 'success') as timed_responses,
    sum(cost_usd) as cost_usd,
    sum(reported_cost_usd) as reported_cost_usd
from requests
group by all;

create table daily as
select
    usage_date, ai_service, user_id,
    grouping(ai_service, user_id) as grain,
    count(*) as requests,
    count(*) filter (status = 'success') as responses,
    count(*) filter (status = 'failure') as failed_requests,
    count(distinct prompt_id) as prompts,
    count(distinct session_id) as sessions,
    count(distinct user_id) as active_users,
    count(distinct ai_service) as ai_services_used,
    sum(input_tokens)::bigint as input_tokens,
    sum(output_tokens)::bigint as output_tokens,
    sum(total_tokens)::bigint as total_tokens,
    sum(output_tokens) filter (status = 'success')::bigint as response_output_tokens,
    sum(response_time_ms) filter (status = 'success') as total_response_time_ms,
    sum(time_to_first_token_ms) filter (status = 'success') as total_time_to_first_token_ms,
    quantile_cont(response_time_ms::double, [0.5, 0.95, 0.99]) filter (status = 'success')
        as percentiles_ms
from requests
group by grouping sets ((usage_date, ai_service), (usage_date, user_id), (usage_date));

create table by_ai_hourly as
select
    usage_date, usage_hour, ai_service,
    count(*) as requests,
    count(*) filter (status = 'failure') as failed_requests,
    count(distinct prompt_id) as prompts,
    count(distinct user_id) as active_users,
    sum(total_tokens)::bigint as total_tokens,
    sum(cost_usd) as cost_usd
from requests
group by all;

create table sessions as
select
    session_id, ai_service, user_id,
    min(usage_date) as usage_date,
    min(requested_at) as started_at,
    max(completed_at) as ended_at,
    epoch_us(max(completed_at) - min(requested_at)) * 0.000001 as session_length_s,
    count(distinct prompt_id) as prompts,
    count(*) as requests,
    count(*) filter (status = 'success') as responses,
    sum(total_tokens)::bigint as total_tokens,
    sum(cost_usd) as cost_usd,
    grouping(ai_service, user_id) as grain
from requests
group by grouping sets ((session_id, ai_service), (session_id, user_id), (session_id));

create table usage_by_day as from daily where grain = 3;
create table usage_by_ai_service as from daily where grain = 1;
create table usage_by_user as from daily where grain = 2;
create table user_prompts as
select usage_date, user_id, prompts, requests, responses from daily where grain = 2;

create table tokens_by_day_and_ai as
select
    usage_date, ai_service, sum(input_tokens)::bigint as input_tokens,
    sum(output_tokens)::bigint as output_tokens, sum(total_tokens)::bigint as total_tokens,
    sum(requests)::bigint as requests, sum(cost_usd) as cost_usd
from hourly group by all;

create table tokens_by_ai as
select
    ai_service, sum(input_tokens)::bigint as input_tokens,
    sum(output_tokens)::bigint as output_tokens, sum(total_tokens)::bigint as total_tokens,
    sum(requests)::bigint as requests, sum(cost_usd) as cost_usd,
    sum(total_tokens) / sum(sum(total_tokens)) over () as share_of_tokens
from hourly group by all;

create table tokens_by_user_and_ai as
select
    user_id, ai_service, sum(input_tokens)::bigint as input_tokens,
    sum(output_tokens)::bigint as output_tokens, sum(total_tokens)::bigint as total_tokens,
    sum(requests)::bigint as requests, sum(cost_usd) as cost_usd
from hourly group by all;

create table token_usage_details as
select usage_date, user_id, ai_service, model, token_type, sum(tokens)::bigint as tokens
from (
    unpivot hourly on
    input_uncached_tokens, cache_read_tokens, cache_write_tokens, output_tokens_without_reasoning,
    reasoning_tokens
    into name token_type value tokens
)
group by all
having sum(tokens) > 0;

create table requests_over_time as
select usage_hour, ai_service, requests, failed_requests, prompts from by_ai_hourly;

create table total_prompts_by_ai as
select
    ai_service, count(distinct prompt_id) as prompts, count(*) as requests,
    count(distinct prompt_id) / sum(count(distinct prompt_id)) over () as share_of_prompts
from requests group by all;

create table cost_by_day_and_ai as
select
    usage_date, ai_service, sum(requests)::bigint as requests,
    sum(total_tokens)::bigint as total_tokens, sum(cost_usd) as cost_usd,
    sum(reported_cost_usd) as reported_cost_usd, sum(unpriced_tokens)::bigint as unpriced_tokens
from hourly group by all;

create table cost_by_day_and_user as
select
    usage_date, user_id, sum(requests)::bigint as requests,
    sum(total_tokens)::bigint as total_tokens, sum(cost_usd) as cost_usd,
    sum(reported_cost_usd) as reported_cost_usd, sum(unpriced_tokens)::bigint as unpriced_tokens
from hourly group by all;

create table cost_by_day_ai_and_user as
select
    usage_date, ai_service, user_id, sum(requests)::bigint as requests,
    sum(total_tokens)::bigint as total_tokens, sum(cost_usd) as cost_usd,
    sum(reported_cost_usd) as reported_cost_usd, sum(unpriced_tokens)::bigint as unpriced_tokens
from hourly group by all;

create table time_of_use as
select *, hour(usage_hour) as hour_of_day, isodow(usage_date) as weekday from by_ai_hourly;

create table long_term_trends as
with measured as (
    select
        period_type, date_trunc(period_type, usage_date) as period_start, ai_service,
        sum(requests) as requests, count(distinct user_id) as active_users,
        sum(total_tokens) as total_tokens, sum(cost_usd) as cost_usd,
        sum(total_response_time_ms) / sum(timed_responses) as avg_response_time_ms
    from hourly cross join (values ('week'), ('month')) as periods(period_type)
    group by all
),

prompts as (
    select
        period_type, date_trunc(period_type, usage_date) as period_start, ai_service,
        count(distinct prompt_id) as prompts
    from requests cross join (values ('week'), ('month')) as periods(period_type)
    group by all
)

select
    *,
    requests / lag(requests) over (
        partition by period_type, ai_service order by period_start
    ) as requests_growth
from measured inner join prompts using (period_type, period_start, ai_service);

create table response_averages_by_ai as
select
    usage_date, ai_service, responses,
    response_output_tokens / responses as avg_output_tokens,
    total_response_time_ms / responses as avg_response_time_ms, percentiles_ms,
    total_time_to_first_token_ms / responses as avg_time_to_first_token_ms,
    response_output_tokens * 1000 / total_response_time_ms as output_tokens_per_second,
    failed_requests / requests as error_rate
from daily where grain = 1;

create table response_averages_by_user as
select
    usage_date, user_id, responses,
    response_output_tokens / responses as avg_output_tokens,
    total_response_time_ms / responses as avg_response_time_ms, percentiles_ms,
    total_time_to_first_token_ms / responses as avg_time_to_first_token_ms,
    response_output_tokens * 1000 / total_response_time_ms as output_tokens_per_second,
    failed_requests / requests as error_rate
from daily where grain = 2;

create table session_averages_by_ai as
select
    usage_date, ai_service, count(*) as sessions, avg(session_length_s) as avg_session_length_s,
    quantile_cont(session_length_s::double, [0.5, 0.95]) as percentiles_s,
    avg(prompts) as avg_prompts_per_session, avg(responses) as avg_responses_per_session
from sessions where grain = 1 group by all;

create table session_averages_by_user as
select
    usage_date, user_id, count(*) as sessions, avg(session_length_s) as avg_session_length_s,
    quantile_cont(session_length_s::double, [0.5, 0.95]) as percentiles_s,
    avg(prompts) as avg_prompts_per_session, avg(responses) as avg_responses_per_session
from sessions where grain = 2 group by all;

create table response_times as
select
    usage_date, ai_service,
    case when response_time_ms < 1 then -1 else floor(ln(response_time_ms) / ln(1.05)) end
        as bucket,
    count(*) as responses
from requests where status = 'success' and response_time_ms is not null group by all;

create table session_lengths as
select
    usage_date, ai_service,
    case when session_length_s < 1 then -1 else floor(ln(session_length_s) / ln(1.05)) end
        as bucket,
    count(*) as sessions
from sessions where grain = 1 group by all;

create table data_quality as
with received as (
    select cast(requested_at as date) as usage_date, count(*) as events_received,
        count(*) filter (cast(landed_at as date) > cast(requested_at as date) + 1) as late_events
    from read_parquet('$raw', hive_types = {'event_date': date}) group by all
)

select *, events_received - requests as duplicates
from received
inner join (
    select
        usage_date, sum(requests)::bigint as requests,
        sum(unpriced_requests)::bigint as unpriced_requests,
        sum(requests_without_session)::bigint as requests_without_session
    from hourly group by all
) using (usage_date);
