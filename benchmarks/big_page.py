"""Builds the Reports page on 50,000 users x 400 days x 12 AIs, opens it, and says what it took.

python benchmarks/big_page.py [users] [days] [folder]

The published tables are made up in SQL at the grain that they have, without requests behind them.
"""

import resource
import shutil
import sys
import time
from pathlib import Path
from statistics import median

import duckdb
from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from orchestration.page import build_page
from orchestration.warehouse.project import project, public_models

AIS = 12
# Each user works on one day in five, on those with one to three of the AIs.
MADE_UP = """
    create table made_up as
    select
        date '2026-11-21' - d::integer as usage_date,
        'user' || lpad(u::varchar, 5, '0') || '@example.com' as user_id,
        'AI service ' || a as ai_service,
        'model-' || a || '-' || (u % 2) as model,
        1 + h % 9 as requests,
        h % 2 as failed_requests,
        1 + h % 9 - h % 2 as responses,
        1 + h % 5 as prompts,
        1 + h % 2 as sessions,
        100 + h % 90000 as input_tokens,
        10 + h % 9000 as output_tokens,
        input_tokens + output_tokens as total_tokens,
        cast(total_tokens * 0.000002 as decimal(38, 12)) as cost_usd,
        cost_usd as reported_cost_usd,
        0::bigint as unpriced_tokens,
        500 + (h % 40000) / 7 as ms
    from (
        select u, d, a, hash(u, d, a) % 1000003 as h
        from range({users}) as users(u), range({days}) as days(d), range({ais}) as ais(a)
        where hash(u, d) % 5 = 0 and hash(u, d, a) % {ais} < 2
    )
"""
COST = """
    sum(requests)::bigint as requests, sum(total_tokens)::bigint as total_tokens,
    sum(cost_usd) as cost_usd, sum(reported_cost_usd) as reported_cost_usd,
    sum(unpriced_tokens)::bigint as unpriced_tokens,
    (sum(cost_usd) * 1000000 / sum(total_tokens))::decimal(18, 6) as cost_per_million_tokens_usd
"""
TOKENS = """
    sum(input_tokens)::bigint as input_tokens, sum(output_tokens)::bigint as output_tokens,
    sum(total_tokens)::bigint as total_tokens, sum(requests)::bigint as requests,
    sum(cost_usd) as cost_usd
"""
USAGE = """
    sum(prompts)::bigint as prompts, sum(requests)::bigint as requests,
    sum(failed_requests)::bigint as failed_requests, count(distinct user_id) as active_users,
    count(distinct ai_service) as ai_services_used, sum(sessions)::bigint as sessions,
    sum(responses)::bigint as responses, sum(input_tokens)::bigint as input_tokens,
    sum(output_tokens)::bigint as output_tokens, sum(total_tokens)::bigint as total_tokens
"""
RESPONSES = """
    sum(responses)::bigint as responses, avg(output_tokens) as avg_output_tokens,
    avg(ms) as avg_response_time_ms, median(ms) as p50_response_time_ms,
    max(ms) as p95_response_time_ms, max(ms) as p99_response_time_ms,
    avg(ms) / 9 as avg_time_to_first_token_ms, 50.0::double as output_tokens_per_second,
    sum(failed_requests) / sum(requests) as error_rate
"""
SESSIONS = """
    sum(sessions)::bigint as sessions, avg(ms) as avg_session_length_s,
    median(ms) as p50_session_length_s, max(ms) as p95_session_length_s,
    1.5::double as avg_prompts_per_session, 2.5::double as avg_responses_per_session
"""
BUCKET = "floor(ln(ms * (1 + n / 12)) / ln(1.05))"
HOURS = "made_up, range(24) as hours(hour) where hash(user_id, hour) % 24 < 6"


def grouped(by: str, measures: str, rows: str = "made_up") -> str:
    """Return a query that adds up `rows`."""
    return f"select {by}, {measures} from {rows} group by all"


def buckets(name: str, unit: str, count: str, also: str = "", spread: int = 60) -> str:
    """Return a query of a table of buckets, of about six rows for each day and AI in each."""
    low = f"pow(1.05, {BUCKET}) as {name}_from_{unit}, pow(1.05, {BUCKET} + 1) as {name}_to_{unit}"
    rows = f"made_up, range({spread}) as spread(n) where {spread} = 1 or hash(user_id, n) % 10 = 0"
    by = ", ".join(filter(None, ("usage_date, ai_service", also, low)))
    return grouped(by, f"count(*) as {count}", rows)


DAY_USER, DAY_AI = "usage_date, user_id", "usage_date, ai_service"
TEAM = "'team ' || (hash(user_id) % 40) as team_id"
DAY_TEAM = f"usage_date, {TEAM}"
ERROR = "['timeout', 'rate_limit', 'server_error'][1 + (hash(user_id) % 3)::int] as error_type"
FAILED = "sum(failed_requests)::bigint as failed_requests, count(distinct user_id) as users_touched"
HOUR = "hour as hour_of_day, isodow(usage_date) as weekday"
PERIOD = "period_type, date_trunc(period_type, usage_date)::date as period_start, ai_service"
PERIODS = "made_up, (values ('week'), ('month')) as periods(period_type)"
TABLES = {
    "core.dim_users": grouped("user_id", "user_id as user_name"),
    "core.dim_ai_services": grouped("ai_service", "'p' || ai_service as providers"),
    "usage.usage_by_day": grouped("usage_date", USAGE),
    "usage.usage_by_ai_service": grouped(DAY_AI, USAGE),
    "usage.usage_by_user": grouped(DAY_USER, USAGE),
    "usage.user_prompts": grouped(DAY_USER, USAGE),
    "usage.usage_by_team": grouped(DAY_TEAM, USAGE),
    "usage.growth_by_ai": grouped(
        PERIOD, f"{USAGE}, sum(total_tokens)::bigint as total_tokens_difference", PERIODS
    ),
    "usage.tokens_by_day_and_ai": grouped(DAY_AI, TOKENS),
    "usage.tokens_by_ai": grouped("ai_service", TOKENS),
    "usage.tokens_by_user_and_ai": grouped("user_id, ai_service", TOKENS),
    "usage.total_prompts_by_ai": grouped("ai_service", USAGE),
    "usage.token_usage_details": """
        select usage_date, user_id, ai_service, model, token_type, input_tokens // 3 as tokens
        from made_up, (values ('input_uncached'), ('cache_read'), ('output')) as types(token_type)
    """,
    "usage.requests_over_time": grouped(
        "usage_date + to_hours(hour) as usage_hour, ai_service", USAGE, HOURS
    ),
    "cost.time_of_use": grouped(f"{DAY_AI}, {HOUR}", f"{USAGE}, sum(cost_usd) as cost_usd", HOURS),
    "cost.cost_by_day_and_ai": grouped(DAY_AI, COST),
    "cost.cost_by_day_and_user": grouped(DAY_USER, COST),
    "cost.cost_by_day_ai_and_user": grouped(f"{DAY_AI}, user_id", COST),
    "cost.cost_by_team": grouped(DAY_TEAM, COST),
    "technical.errors_by_type": grouped(f"{DAY_AI}, {ERROR}", FAILED),
    "technical.errors_by_user": grouped(f"{DAY_AI}, {ERROR}, user_id, {TEAM}", FAILED),
    "technical.session_lengths_by_user": buckets(
        "session_length", "s", "sessions", f"user_id, {TEAM}", 1
    ),
    "technical.response_averages_by_ai": grouped(DAY_AI, RESPONSES),
    "technical.response_averages_by_user": grouped(DAY_USER, RESPONSES),
    "technical.session_averages_by_ai": grouped(DAY_AI, SESSIONS),
    "technical.session_averages_by_user": grouped(DAY_USER, SESSIONS),
    "technical.response_times": buckets("response_time", "ms", "responses"),
    "technical.session_lengths": buckets("session_length", "s", "sessions"),
    "technical.long_term_trends": grouped(
        PERIOD, f"{USAGE}, sum(cost_usd) as cost_usd, avg(ms) as avg_response_time_ms", PERIODS
    ),
}


def make(database: Path, users: int, days: int, models: list[dict]) -> None:
    """Write the tables; columns that nothing here makes up are null."""
    with duckdb.connect(config={"memory_limit": "4GB"}) as connection:
        connection.execute(f"attach '{database}' as reports")
        connection.execute("create schema reports.made; use reports.made")
        connection.execute(MADE_UP.format(users=users, days=days, ais=AIS))
        for model in models:
            name = f"{model['schema']}.{model['name']}"
            if name not in TABLES and name != "technical.data_quality":
                continue
            query = TABLES.get(name, "select date '2026-11-21' as usage_date, 'litellm' as source")
            given = {column for column, *_ in connection.execute(f"describe {query}").fetchall()}
            columns = ", ".join(
                f"{c}::{about['data_type']} as {c}"
                if c in given
                else f"null::{about['data_type']} as {c}"
                for c, about in model["columns"].items()
            )
            connection.execute(f"create schema if not exists reports.{model['schema']}")
            connection.execute(f"create table reports.{name} as select {columns} from ({query})")
        (rows,) = connection.execute("select count(*) from made_up").fetchone()
        print(f"made up {rows:,} rows of user, day and AI")


def main() -> None:
    """Make the tables up unless they are there, build the page, open it."""
    users, days = (int(word) for word in (*sys.argv[1:3], "50000", "400")[:2])
    folder = Path((*sys.argv[3:], "/tmp/big_page")[0])  # noqa: S108
    folder.mkdir(exist_ok=True)
    models = public_models(project())
    database = folder / "reports.duckdb"
    if not database.exists():
        make(database, users, days, models)
    shutil.rmtree(folder / "page", ignore_errors=True)
    started, before = time.time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    build_page(database, models, folder / "page", folder / "tmp", "made up", "UTC")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    files = [path.stat().st_size for path in (folder / "page").rglob("*.*")]
    print(
        f"built in {time.time() - started:.1f} s, peak {peak / 1024:.0f} MiB (before: "
        f"{before / 1024:.0f}), {len(files)} files, {sum(files) / 1e6:.0f} MB, index.html "
        f"{(folder / 'page/index.html').stat().st_size / 1e6:.1f} MB"
    )
    open_and_filter(folder / "page/index.html")


def open_and_filter(page_file: Path) -> None:
    """Print medians of five: of opening a whole tab, and of filtering what is in view."""
    chromium = shutil.which("chromium")
    if not chromium:
        print("not opened: no chromium")
        return
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        opened = []
        for number in range(5):
            begun = time.time()
            page.goto(f"file://{page_file}?{number}#tab=usage&range=30")
            page.wait_for_selector("body[data-ready]")
            opened.append(time.time() - begun)
        print(f"opens in {median(opened):.2f} s")
        user = page.locator("#usage_by_user .link").first.inner_text()
        for tab in ("usage", "cost", "technical"):
            for name, filters in {
                "90 days": "range=90",
                "one AI": "range=90&ai=AI+service+3",
                "one user": f"range=90&user={user}",
            }.items():
                took = []
                for _ in range(5):
                    for address in (f"tab={tab}&range=30", f"tab={tab}&{filters}"):
                        page.evaluate(f"location.hash = {address!r}")
                        page.wait_for_timeout(700)
                    took.append(int(page.locator("body").get_attribute("data-took")))
                print(f"{tab}, {name}: {median(took)} ms")
        browser.close()


if __name__ == "__main__":
    main()
