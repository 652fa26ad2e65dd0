"""The reports in chDB, which is ClickHouse in this process: chdb.sql, after a load to a MergeTree.

Keys that repeat are LowCardinality, money is Decimal, counts are uniqExact and percentiles
quantileExactInclusive, so that nothing is an estimate.
"""

import tempfile
from pathlib import Path

from chdb.session import Session

from benchmarks.peers import measure

SETTINGS = """
    set join_use_nulls = 1, group_by_use_nulls = 1, prefer_column_name_to_alias = 1,
        union_default_mode = 'ALL', date_time_input_format = 'best_effort',
        session_timezone = 'UTC';
"""
LOAD = """
    create table events engine = MergeTree order by requested_at as
    select
        *,
        now('UTC') as landed_at,
        toUnixTimestamp64Micro(requested_at) % 86400000000 as time_of_day_us,
        toInt64(round(response_time_ms * 1000)) as response_time_us,
        toInt64(round(time_to_first_token_ms * 1000)) as time_to_first_token_us,
        cost_usd as reported_cost_usd
    from file(
        '{events}', JSONEachRow,
        'request_id String, requested_at DateTime64(6, \\'UTC\\'),
         provider LowCardinality(String), model LowCardinality(String),
         user_id LowCardinality(String), user_name LowCardinality(String),
         team_id LowCardinality(String), session_id Nullable(String), prompt_id String,
         status LowCardinality(String), error_type LowCardinality(Nullable(String)),
         is_cache_hit Bool, input_tokens Int64, cache_read_tokens Int64, cache_write_tokens Int64,
         output_tokens Int64, reasoning_tokens Int64, response_time_ms Nullable(Float64),
         time_to_first_token_ms Nullable(Float64), cost_usd Nullable(Decimal(20, 12))'
    );

    create table ai_services engine = Memory as
    select assumeNotNull(provider) as provider, assumeNotNull(ai_service) as ai_service
    from file('{services}');

    -- ClickHouse reads a time of day as that time of 1 January 1970.
    create table prices engine = Memory as
    select
        * except (provider, model) replace (
            toDecimal128(input_uncached_price, 12) as input_uncached_price,
            toDecimal128(cache_read_price, 12) as cache_read_price,
            toDecimal128(cache_write_price, 12) as cache_write_price,
            toDecimal128(output_price, 12) as output_price,
            toDecimal128(reasoning_price, 12) as reasoning_price
        ),
        assumeNotNull(provider) as provider,
        assumeNotNull(model) as model,
        toUnixTimestamp64Micro(daily_from) as daily_from_us,
        toUnixTimestamp64Micro(daily_to) as daily_to_us
    from file('{prices}');
"""
GIVEN = {"events", "prices", "ai_services"}
STEPS = {"requests", "hourly", "daily", "by_ai_hourly", "sessions"}


def main() -> None:
    """Load, report, write."""
    with tempfile.TemporaryDirectory() as folder, Session(folder) as session:

        def run(script: str) -> None:
            for statement in script.split(";"):
                if statement.strip():
                    session.query(statement)

        def load(events: str, prices: str, services: str) -> None:
            run("create database reports; use reports")
            run(SETTINGS)
            run(LOAD.format(events=events, prices=prices, services=services))

        def write(folder: Path) -> None:
            for name in set(str(session.query("show tables", "TSVRaw")).split()) - GIVEN - STEPS:
                path = folder / f"{name}.parquet"
                path.unlink(missing_ok=True)
                session.query(f"select * from {name} into outfile '{path}' format Parquet")

        measure(load, lambda: run(Path(__file__).with_suffix(".sql").read_text()), write)


if __name__ == "__main__":
    main()
