-- The reports of floor.sql in ClickHouse's SQL. `events`, `prices` and `ai_services` are loaded.
-- A group by's missing keys, a left join's missing row and an empty group give null, as elsewhere.
create table requests engine = Memory as
with deduplicated as (
    select * from events limit 1 by request_id
),

pauses as (
    select
        *,
        lagInFrame(toNullable(requested_at)) over (
            partition by user_id, toDate(requested_at) order by requested_at, request_id
            rows between unbounded preceding and unbounded following
        ) as before
    from deduplicated
    where session_id is null
),

sessions as (
    select * except (before), session_id as session, false as is_derived
    from (select *, requested_at as before from deduplicated where session_id is not null)
    union all
    select
        * except (before),
        user_id || '/' || toString(
            max(if(before is null or requested_at > before + interval 30 minute, requested_at, null))
                over (
                    partition by user_id, toDate(requested_at) order by requested_at, request_id
                    rows between unbounded preceding and current row
                )
        ) as session,
        true as is_derived
    from pauses
)

select
    request_id,
    prompt_id,
    assumeNotNull(session) as session_id,
    is_derived,
    user_id,
    services.ai_service as ai_service,
    sessions.provider as provider,
    sessions.model as model,
    cast(status = 'success' as Bool) as is_success,
    input_tokens - cache_read_tokens - cache_write_tokens as input_uncached_tokens,
    cache_read_tokens,
    cache_write_tokens,
    output_tokens - reasoning_tokens as output_tokens_without_reasoning,
    reasoning_tokens,
    input_tokens,
    output_tokens,
    input_tokens + output_tokens as total_tokens,
    -- Decimal(38, 12) by a million gives Decimal(38, 18), exactly.
    if(
        is_cache_hit or (not is_success and total_tokens = 0),
        toDecimal128(0, 18),
        (
            input_uncached_tokens * input_uncached_price
            + cache_read_tokens * cache_read_price
            + cache_write_tokens * cache_write_price
            + output_tokens_without_reasoning * output_price
            + reasoning_tokens * reasoning_price
        ) * toDecimal128('0.000001', 6)
    ) as cost_usd,
    input_uncached_price is null as is_unpriced,
    reported_cost_usd,
    requested_at,
    toDate(requested_at) as usage_date,
    toStartOfHour(requested_at) as usage_hour,
    addMicroseconds(requested_at, response_time_us) as completed_at,
    response_time_us,
    time_to_first_token_us
from sessions
inner join ai_services as services on services.provider = sessions.provider
left join prices
    on
        prices.provider = sessions.provider
        and prices.model = sessions.model
        and sessions.requested_at >= valid_from and sessions.requested_at < valid_to
        and sessions.time_of_day_us >= daily_from_us and sessions.time_of_day_us < daily_to_us
        and sessions.input_tokens > input_tokens_above
        and sessions.input_tokens <= input_tokens_up_to;

create table hourly engine = Memory as
select
    usage_date, usage_hour, user_id, ai_service, provider, model,
    count() as requests,
    countIf(is_unpriced) as unpriced_requests,
    countIf(is_derived) as requests_without_session,
    sum(input_uncached_tokens) as input_uncached_tokens,
    sum(cache_read_tokens) as cache_read_tokens,
    sum(cache_write_tokens) as cache_write_tokens,
    sum(output_tokens_without_reasoning) as output_tokens_without_reasoning,
    sum(reasoning_tokens) as reasoning_tokens,
    sum(input_tokens) as input_tokens,
    sum(output_tokens) as output_tokens,
    sum(total_tokens) as total_tokens,
    sumIf(total_tokens, cost_usd is null) as unpriced_tokens,
    sumOrNullIf(response_time_us, is_success) as total_response_time_us,
    countIf(is_success and response_time_us is not null) as timed_responses,
    sumOrNull(cost_usd) as cost_usd,
    sumOrNull(reported_cost_usd) as reported_cost_usd
from requests
group by usage_date, usage_hour, user_id, ai_service, provider, model;

create table daily engine = Memory as
select
    usage_date, ai_service, user_id,
    grouping(ai_service, user_id) as grain,
    count() as requests,
    countIf(is_success) as responses,
    countIf(not is_success) as failed_requests,
    uniqExact(prompt_id) as prompts,
    uniqExact(session_id) as sessions,
    uniqExact(user_id) as active_users,
    uniqExact(ai_service) as ai_services_used,
    sum(input_tokens) as input_tokens,
    sum(output_tokens) as output_tokens,
    sum(total_tokens) as total_tokens,
    sumOrNullIf(output_tokens, is_success) as response_output_tokens,
    sumOrNullIf(response_time_us, is_success) / 1000 as total_response_time_ms,
    sumOrNullIf(time_to_first_token_us, is_success) / 1000 as total_time_to_first_token_ms,
    -- The definition of quantile_cont: between the two nearest ranks, the ends included.
    quantilesExactInclusiveIf(0.5, 0.95, 0.99)(response_time_us / 1000, is_success) as percentiles,
    if(responses > 0, percentiles[1], null) as p50_response_time_ms,
    if(responses > 0, percentiles[2], null) as p95_response_time_ms,
    if(responses > 0, percentiles[3], null) as p99_response_time_ms
from requests
group by grouping sets ((usage_date, ai_service), (usage_date, user_id), (usage_date));

create table by_ai_hourly engine = Memory as
select
    usage_date, usage_hour, ai_service,
    count() as requests,
    countIf(not is_success) as failed_requests,
    uniqExact(prompt_id) as prompts,
    uniqExact(user_id) as active_users,
    sum(total_tokens) as total_tokens,
    sumOrNull(cost_usd) as cost_usd
from requests
group by usage_date, usage_hour, ai_service;

create table sessions engine = Memory as
select
    session_id, ai_service, user_id,
    min(usage_date) as usage_date,
    dateDiff('microsecond', min(requested_at), max(completed_at)) / 1000000 as session_length_s,
    uniqExact(prompt_id) as prompts,
    count() as requests,
    countIf(is_success) as responses,
    grouping(ai_service, user_id) as grain
from requests
group by grouping sets ((session_id, ai_service), (session_id, user_id), (session_id));

create table usage_by_day engine = Memory as
select * except (grain, percentiles, ai_service, user_id) from daily where grain = 3;

create table usage_by_ai_service engine = Memory as
select * except (grain, percentiles, user_id) from daily where grain = 1;

create table usage_by_user engine = Memory as
select * except (grain, percentiles, ai_service) from daily where grain = 2;

create table user_prompts engine = Memory as
select usage_date, user_id, prompts, requests, responses from daily where grain = 2;

create table tokens_by_day_and_ai engine = Memory as
select
    usage_date, ai_service, sum(input_tokens) as input_tokens,
    sum(output_tokens) as output_tokens, sum(total_tokens) as total_tokens,
    sum(requests) as requests, sumOrNull(cost_usd) as cost_usd
from hourly group by usage_date, ai_service;

create table tokens_by_ai engine = Memory as
select
    ai_service, sum(input_tokens) as input_tokens,
    sum(output_tokens) as output_tokens, sum(total_tokens) as total_tokens,
    sum(requests) as requests, sumOrNull(cost_usd) as cost_usd,
    sum(total_tokens) / sum(sum(total_tokens)) over () as share_of_tokens
from hourly group by ai_service;

create table tokens_by_user_and_ai engine = Memory as
select
    user_id, ai_service, sum(input_tokens) as input_tokens,
    sum(output_tokens) as output_tokens, sum(total_tokens) as total_tokens,
    sum(requests) as requests, sumOrNull(cost_usd) as cost_usd
from hourly group by user_id, ai_service;

create table token_usage_details engine = Memory as
select usage_date, user_id, ai_service, model, part.1 as token_type, sum(part.2) as tokens
from hourly
array join
    [
        ('input_uncached_tokens', input_uncached_tokens),
        ('cache_read_tokens', cache_read_tokens),
        ('cache_write_tokens', cache_write_tokens),
        ('output_tokens_without_reasoning', output_tokens_without_reasoning),
        ('reasoning_tokens', reasoning_tokens)
    ] as part
where part.2 > 0
group by usage_date, user_id, ai_service, model, token_type;

create table requests_over_time engine = Memory as
select usage_hour, ai_service, requests, failed_requests, prompts from by_ai_hourly;

create table total_prompts_by_ai engine = Memory as
select
    ai_service, uniqExact(prompt_id) as prompts, count() as requests,
    prompts / sum(prompts) over () as share_of_prompts
from requests group by ai_service;

create table cost_by_day_and_ai engine = Memory as
select
    usage_date, ai_service, sum(requests) as requests, sum(total_tokens) as total_tokens,
    sumOrNull(cost_usd) as cost_usd, sumOrNull(reported_cost_usd) as reported_cost_usd,
    sum(unpriced_tokens) as unpriced_tokens
from hourly group by usage_date, ai_service;

create table cost_by_day_and_user engine = Memory as
select
    usage_date, user_id, sum(requests) as requests, sum(total_tokens) as total_tokens,
    sumOrNull(cost_usd) as cost_usd, sumOrNull(reported_cost_usd) as reported_cost_usd,
    sum(unpriced_tokens) as unpriced_tokens
from hourly group by usage_date, user_id;

create table cost_by_day_ai_and_user engine = Memory as
select
    usage_date, ai_service, user_id, sum(requests) as requests,
    sum(total_tokens) as total_tokens, sumOrNull(cost_usd) as cost_usd,
    sumOrNull(reported_cost_usd) as reported_cost_usd, sum(unpriced_tokens) as unpriced_tokens
from hourly group by usage_date, ai_service, user_id;

create table time_of_use engine = Memory as
select *, toHour(usage_hour) as hour_of_day, toDayOfWeek(usage_date) as weekday
from by_ai_hourly;

create table long_term_trends engine = Memory as
with measured as (
    select
        period_type,
        if(period_type = 'week', toMonday(usage_date), toStartOfMonth(usage_date)) as period_start,
        ai_service,
        sum(requests) as requests, uniqExact(user_id) as active_users,
        sum(total_tokens) as total_tokens, sumOrNull(cost_usd) as cost_usd,
        sum(total_response_time_us) / sum(timed_responses) / 1000 as avg_response_time_ms
    from hourly array join ['week', 'month'] as period_type
    group by period_type, period_start, ai_service
),

prompts as (
    select
        period_type,
        if(period_type = 'week', toMonday(usage_date), toStartOfMonth(usage_date)) as period_start,
        ai_service, uniqExact(prompt_id) as prompts
    from requests array join ['week', 'month'] as period_type
    group by period_type, period_start, ai_service
)

select
    *,
    requests / lagInFrame(toNullable(requests)) over (
        partition by period_type, ai_service order by period_start
        rows between unbounded preceding and unbounded following
    ) as requests_growth
from measured inner join prompts using (period_type, period_start, ai_service);

create table response_averages_by_ai engine = Memory as
select
    usage_date, ai_service, responses,
    response_output_tokens / responses as avg_output_tokens,
    total_response_time_ms / responses as avg_response_time_ms,
    p50_response_time_ms, p95_response_time_ms, p99_response_time_ms,
    total_time_to_first_token_ms / responses as avg_time_to_first_token_ms,
    response_output_tokens * 1000 / total_response_time_ms as output_tokens_per_second,
    failed_requests / requests as error_rate
from daily where grain = 1;

create table response_averages_by_user engine = Memory as
select
    usage_date, user_id, responses,
    response_output_tokens / responses as avg_output_tokens,
    total_response_time_ms / responses as avg_response_time_ms,
    p50_response_time_ms, p95_response_time_ms, p99_response_time_ms,
    total_time_to_first_token_ms / responses as avg_time_to_first_token_ms,
    response_output_tokens * 1000 / total_response_time_ms as output_tokens_per_second,
    failed_requests / requests as error_rate
from daily where grain = 2;

create table session_averages_by_ai engine = Memory as
select
    usage_date, ai_service, count() as sessions, avg(session_length_s) as avg_session_length_s,
    quantileExactInclusive(0.5)(session_length_s) as p50_session_length_s,
    quantileExactInclusive(0.95)(session_length_s) as p95_session_length_s,
    avg(prompts) as avg_prompts_per_session, avg(responses) as avg_responses_per_session
from sessions where grain = 1 group by usage_date, ai_service;

create table session_averages_by_user engine = Memory as
select
    usage_date, user_id, count() as sessions, avg(session_length_s) as avg_session_length_s,
    quantileExactInclusive(0.5)(session_length_s) as p50_session_length_s,
    quantileExactInclusive(0.95)(session_length_s) as p95_session_length_s,
    avg(prompts) as avg_prompts_per_session, avg(responses) as avg_responses_per_session
from sessions where grain = 2 group by usage_date, user_id;

create table response_times engine = Memory as
select
    usage_date, ai_service,
    if(response_time_us < 1000, -1, floor(log(response_time_us / 1000) / log(1.05))) as bucket,
    count() as responses
from requests where is_success and response_time_us is not null
group by usage_date, ai_service, bucket;

create table session_lengths engine = Memory as
select
    usage_date, ai_service,
    if(session_length_s < 1, -1, floor(log(session_length_s) / log(1.05))) as bucket,
    count() as sessions
from sessions where grain = 1 group by usage_date, ai_service, bucket;

create table data_quality engine = Memory as
with received as (
    select
        toDate(requested_at) as usage_date, count() as events_received,
        countIf(toDate(landed_at) > toDate(requested_at) + 1) as late_events
    from events group by usage_date
),

built as (
    select
        usage_date, sum(requests) as requests, sum(unpriced_requests) as unpriced_requests,
        sum(requests_without_session) as requests_without_session
    from hourly group by usage_date
)

select *, events_received - requests as duplicates
from received inner join built using (usage_date);
