"""Events of an invented gateway, made in SQL: any number, the same every time.

Days have as many requests each, in which users ask in sittings. One request in 200 is
delivered twice, one session in four is not reported, and one request in fifty fails.
"""

from datetime import date
from pathlib import Path

import duckdb

FIRST_DAY = date(2025, 1, 1)

# %(first)d to %(last)d number the requests; %(per_day)d of them make a day.
EVENTS = """
    with numbered as (
        select
            i,
            i // %(per_day)d as day_number,
            hash(i) as h,
            hash(i, 1) as h1,
            hash(i, 2) as h2,
            -- Some users ask far more than others.
            cast(floor(pow((hash(i, 3) %% 1000000) / 1e6, 3) * %(users)d) as bigint) as user_number
        from range(%(first)d, %(last)d) as numbers(i)
    ),

    asked as (
        select
            *,
            -- Three sittings a day, of up to 45 minutes, which begin in a user's own hours.
            h1 %% 3 as sitting,
            to_timestamp(
                epoch(date '%(first_day)s') + day_number * 86400
                + 25200 + hash(user_number, day_number, sitting) %% 39600
                + h %% 2700
                + (h2 %% 1000) / 1000.0
            ) as asked_at,
            -- Of two models of their own, one far more often.
            [
                ('openai', 'gpt-4o'), ('openai', 'gpt-4o-mini'), ('openai', 'gpt-5'),
                ('anthropic', 'claude-sonnet-4-5'), ('anthropic', 'claude-haiku-4-5'),
                ('google', 'gemini-2.5-pro'), ('google', 'gemini-2.5-flash'),
                ('mistral', 'mistral-large-latest'), ('deepseek', 'deepseek-chat'),
                ('internal', 'house-model-1')
            ][1 + ((hash(user_number) + h2 %% 4 // 3) %% 10)::int] as ai,
            h %% 50 = 7 as is_failure,
            50 + h1 %% 8000 as input,
            1 + h2 %% 1500 as output
        from numbered
    )

    select
        'req-' || lpad(i::varchar, 12, '0') || '-' || to_hex(h) as request_id,
        strftime(asked_at at time zone 'UTC', '%%Y-%%m-%%dT%%H:%%M:%%S.%%gZ') as requested_at,
        ai[1] as provider,
        ai[2] as model,
        'user' || lpad(user_number::varchar, 6, '0') || '@example.com' as user_id,
        'User ' || user_number as user_name,
        'team-' || user_number %% 40 as team_id,
        case when user_number %% 4 > 0
            then 'session-' || user_number || '-' || day_number || '-' || sitting end as session_id,
        -- One prompt in ten takes two requests.
        'prompt-' || case when i %% 10 = 9 then i - 1 else i end as prompt_id,
        case when is_failure then 'failure' else 'success' end as status,
        case when is_failure then 'RateLimitError' end as error_type,
        h1 %% 40 = 3 as is_cache_hit,
        case when is_failure then 0 else input end as input_tokens,
        case when is_failure then 0 when h2 %% 3 = 0 then input // 2 else 0 end
            as cache_read_tokens,
        case when is_failure then 0 when h2 %% 30 = 0 then input // 4 else 0 end
            as cache_write_tokens,
        case when is_failure then 0 else output end as output_tokens,
        case when is_failure then 0 when ai[2] = 'gpt-5' then output // 2 else 0 end
            as reasoning_tokens,
        200 + h1 %% 30000 / 7.0 as response_time_ms,
        100 + h1 %% 30000 / 70.0 as time_to_first_token_ms,
        round((input * 2.5 + output * 10) / 1e6, 9) as cost_usd
    from asked
    cross join range(case when h %% 200 = 5 then 2 else 1 end)
"""


def write_events(
    folder: Path,
    requests: int,
    days: int,
    first: int = 0,
    users: int = 2000,
    kind: str = "json",
    requests_a_file: int = 1_000_000,
) -> list[Path]:
    """Write requests `first` up to `first + requests` as files of JSON lines or Parquet.

    `days` says how many days `requests` of them take, from FIRST_DAY on.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        for start in range(first, first + requests, requests_a_file):
            last = min(start + requests_a_file, first + requests)
            path = folder / f"{start:012}.{'jsonl' if kind == 'json' else kind}"
            query = EVENTS % {
                "first": start,
                "last": last,
                "per_day": requests // days,
                "users": users,
                "first_day": FIRST_DAY,
            }
            connection.execute(f"copy ({query}) to '{path}' (format {kind})")
            paths.append(path)
    return paths
