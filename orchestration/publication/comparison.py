"""What is about to be published beside what was published before, for expectations to judge."""

from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pandas as pd

from orchestration.files import quoted
from orchestration.publication.expectations import judge_publication
from orchestration.settings import Settings
from orchestration.warehouse.archive import archived_through

# A request may move over midnight when another delivery of it lands, so the days next to a day with
# new events may differ, too. Of all other days, and of those with fewer events, the tokens must not
# fall.
DAYS_WITH_NEWS = """
    create temp table days_with_news as
    select unnest([usage_date - 1, usage_date, usage_date + 1]) as usage_date
    from now.technical.data_quality as now_counts
    left join before.technical.data_quality as before_counts using (usage_date, source)
    where now_counts.events_received > coalesce(before_counts.events_received, 0)
"""

# Other code may count the same events otherwise: then only what has been taken in since is new. The
# file of it may be an old one; a load's id begins with when it was taken in.
DAYS_WITH_NEWS_SINCE = """
    create temp table days_with_news as
    select distinct unnest([event_date - 1, event_date, event_date + 1]) as usage_date
    from read_parquet(
        '{raw}/*/event_date=*/*.parquet',
        hive_types = {{'event_date': date}}, union_by_name = true, filename = 'file'
    )
    where
        strptime(split_part(parse_filename(file), '-', 1), '%Y%m%dT%H%M%S%f')
        > $built_at::timestamptz at time zone 'UTC'
"""

LOST_TOKENS = """
    select
        days.usage_date,
        cast(days.total_tokens - coalesce(now_days.total_tokens, 0) as double) as tokens_lost
    from before.usage.usage_by_day as days
    left join now.usage.usage_by_day as now_days using (usage_date)
    where usage_date not in (select usage_date from days_with_news)
"""

# What else is told of such days than before: other code reads the same events otherwise.
CHANGED = """
    with figures as (
        select
            source,
            usage_date,
            now_days.requests - before_days.requests as more_requests,
            now_days.tokens - before_days.tokens as more_tokens
        from (
            select source, usage_date, count(*) as requests, sum(total_tokens) as tokens
            from now.core.fct_requests group by all
        ) as now_days
        inner join (
            select source, usage_date, count(*) as requests, sum(total_tokens) as tokens
            from before.core.fct_requests group by all
        ) as before_days using (source, usage_date)
        where usage_date not in (select usage_date from days_with_news)
    )

    select
        source,
        count(*) as changed_days,
        cast(sum(more_requests) as bigint) as more_requests,
        cast(sum(more_tokens) as bigint) as more_tokens
    from figures
    where more_requests <> 0 or more_tokens <> 0
    group by source
"""

# The last whole day beside the same weekday of the eight weeks before it.
VOLUME = """
    with whole_days as (
        select usage_date, requests from now.usage.usage_by_day
        where usage_date < $today
    ),

    last_day as (from whole_days order by usage_date desc limit 1)

    select
        last_day.usage_date,
        cast(last_day.requests as double) as requests,
        min(earlier.requests) * 0.3 as requests_at_least,
        max(earlier.requests) * 3.0 as requests_at_most
    from last_day
    inner join whole_days as earlier
        on
            earlier.usage_date between last_day.usage_date - 56 and last_day.usage_date - 7
            and isodow(earlier.usage_date) = isodow(last_day.usage_date)
    group by last_day.usage_date, last_day.requests
    having count(*) >= 4
"""

# Sources that used to land on most days. Of one that stays away for a month people know.
SILENCE = """
    with newest as (
        select source, max(usage_date) as last_date from now.technical.data_quality group by all
    )

    select source, last_date, cast($today - last_date as bigint) as silent_days
    from newest
    inner join now.technical.data_quality as days using (source)
    where days.usage_date > last_date - 28 and $today - last_date <= 30
    group by source, last_date
    having count(distinct days.usage_date) >= 14
"""

# What people should know once: of which models list and gateway part, which tiers have no price.
# Each row's first three columns say what it is of.
PRICES_APART = """
    select
        provider,
        model,
        likely_cause,
        count(*) as days_apart,
        sum(list_cost_usd)::double as list_cost_usd,
        sum(reported_cost_usd)::double as reported_cost_usd
    from {version}.cost.price_differences
    where likely_cause is not null
    group by all
    order by abs(sum(reported_cost_usd) - sum(list_cost_usd)) desc, provider, model, likely_cause
"""
UNKNOWN_TIERS = """
    select provider, model, service_tier, count(*) as requests_at_unknown_tier
    from {version}.core.fct_requests
    where service_tier <> 'standard' and price_status = 'no known price'
    group by all order by requests_at_unknown_tier desc, provider, model, service_tier
"""


def compare(
    settings: Settings,
    version: Path,
    before: Path | None,
    is_comparable: bool,
    other_code_since: str | None = None,
) -> tuple[list[str], list[tuple[str, dict]]]:
    """Return what people should be warned of in a version that is not published yet.

    The second list holds what was judged: its name and Great Expectations' result.

    `before` is the version that is published, if any. AI_USAGE_ACCEPT_CHANGES=1 accepts whatever
    changed. Days are compared if `is_comparable`: both versions mean the same by them. If other
    code made what was published, `other_code_since` says when that was.

    Raises:
        UserError: something is lost that the version before had.
    """
    frames: dict[str, pd.DataFrame] = {}
    warnings = []
    today = datetime.now(ZoneInfo(settings.reporting_time_zone)).date()
    with duckdb.connect() as connection:
        connection.execute(f"attach '{quoted(version / 'reports.duckdb')}' as now (read_only)")
        frames["volume"] = connection.execute(VOLUME, {"today": today}).df()
        frames["silence"] = connection.execute(SILENCE, {"today": today}).df()
        if before:
            path = quoted(before.resolve() / "reports.duckdb")
            connection.execute(f"attach '{path}' as before (read_only)")
            gone = _tables(connection, "before") - _tables(connection, "now")
            if gone:
                names = ", ".join(".".join(name) for name in sorted(gone))
                warnings = [
                    f"no longer published, since the project has no such model any more: {names}. "
                    "Whoever reads it finds nothing there: tell them, or bring the model back."
                ]
        frames["prices_apart"] = _first_seen(connection, PRICES_APART, before)
        frames["unknown_tiers"] = _first_seen(connection, UNKNOWN_TIERS, before)
        if before and not settings.accept_changes:
            frames["tables"] = _row_counts(connection, archived_through(settings))
            if is_comparable:
                if other_code_since and any(settings.raw.glob("*/event_date=*/*.parquet")):
                    query = DAYS_WITH_NEWS_SINCE.format(raw=quoted(settings.raw))
                    connection.execute(query, {"built_at": other_code_since})
                else:
                    connection.execute(DAYS_WITH_NEWS)
                frames["lost_tokens"] = connection.execute(LOST_TOKENS).df()
                frames["changed"] = connection.execute(CHANGED).df()
    judged_warnings, judged = judge_publication(frames)
    return warnings + judged_warnings, judged


def _tables(connection: duckdb.DuckDBPyConnection, version: str) -> set[tuple[str, str]]:
    """Return the schema and name of each table of a version that is attached."""
    query = "select schema_name, table_name from duckdb_tables() where database_name = ?"
    return set(connection.execute(query, [version]).fetchall())


def _first_seen(
    connection: duckdb.DuckDBPyConnection, query: str, before: Path | None
) -> pd.DataFrame:
    """Return the rows of what the version before did not have: that was told already."""
    rows = connection.execute(query.format(version="now")).df()
    try:
        known = connection.execute(query.format(version="before")).fetchall() if before else []
    except duckdb.Error:  # other code made it
        known = []
    seen = {row[:3] for row in known}
    is_new = [tuple(row[:3]) not in seen for row in rows.itertuples(index=False)]
    return rows[is_new].reset_index(drop=True)


def _row_counts(connection: duckdb.DuckDBPyConnection, last_day: date | None) -> pd.DataFrame:
    """Count the rows of every table that the version before had and that was not empty there."""
    may_be_empty = set()
    live = "select count(*) from now.usage.usage_by_day where usage_date > ?"
    if last_day and connection.execute(live, [last_day]).fetchone() == (0,):
        # All requests are past retention.
        may_be_empty = {("core", "fct_requests"), ("core", "fct_sessions")}
    rows = []
    both = _tables(connection, "before") & _tables(connection, "now")
    for name in sorted(both - may_be_empty):
        table = '"{}"."{}"'.format(*name)
        before, now = (
            connection.execute(f"select count(*) from {version}.{table}").fetchone()[0]
            for version in ("before", "now")
        )
        if before:
            rows.append((".".join(name), before, now))
    return pd.DataFrame(rows, columns=["table_name", "rows_before", "rows_now"])
