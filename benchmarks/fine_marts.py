"""Says what the finest marts take at 50,000 users x 400 days: rows, MB, and seconds of a night.

python benchmarks/fine_marts.py [users] [days] [folder]

Sums are invented straight in the int_ tables, without requests behind them. The marts are then
built and tested by dbt, and published twice: whole, and after one day has changed.
"""

import json
import os
import shutil
import sys
import time
from pathlib import Path

import duckdb

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

AIS = 12
FIRST = "date '2025-11-01'"
# Each user works on one day in five, with one or two of the AIs, six responses each, in two hours.
CELLS = """
    create table made_up as
    select
        {first} + d::integer as usage_date,
        'made up ' || d as requests_version,
        'user' || lpad(u::varchar, 5, '0') || '@example.com' as user_id,
        'team ' || u % 400 as team_id,
        'AI service ' || a as ai_service,
        u, d, a, hash(u, d, a) as h
    from range({users}) as users(u), range({days}) as days(d), range({ais}) as ais(a)
    where hash(u, d) % 5 = 0 and hash(u, d, a) % {ais} < 2
"""
HOUR = "usage_date::timestamp + to_hours((8 + h % 8 + n)::bigint)"
ROWS = {
    "int_usage_hourly": (
        f"""
        usage_date, requests_version, {HOUR} as usage_hour, user_id, team_id, ai_service,
        'openai' as provider, 'model-' || a as model, 'litellm' as source, 4 as requests,
        3 as responses, 1 as failed_requests, 3000 + h % 999 as input_tokens,
        300 as output_tokens, input_tokens + output_tokens as total_tokens, 0 as unpriced_requests,
        0 as unpriced_tokens, 0 as requests_without_usage, 9000.5 as total_response_time_ms,
        3 as timed_responses, total_tokens * 0.000002 as cost_usd, cost_usd as reported_cost_usd,
        300 as response_output_tokens, 3 as responses_with_output_tokens,
        300 as timed_output_tokens, 9000.5 as output_time_ms, 3 as timed_time_to_first_token_ms,
        900.5 as total_time_to_first_token_ms
        """,
        "range(2) as hours(n)",
    ),
    "int_usage_by_user_hourly": (
        f"""
        distinct on (usage_hour, user_id)
        usage_date, requests_version, {HOUR} as usage_hour, user_id, 3 as prompts, 4 as requests,
        3300 + h % 999 as total_tokens, total_tokens * 0.000002 as cost_usd, 0 as unpriced_requests,
        0 as unpriced_tokens, 0 as requests_without_usage
        """,
        "range(2) as hours(n)",
    ),
    "int_response_time_buckets": (
        """
        distinct usage_date, requests_version, ai_service, user_id, team_id,
        (130 + hash(h, n) % 100)::integer as bucket, 1 as responses
        """,
        "range(6) as responses(n)",
    ),
    "int_failures_daily": (
        """
        usage_date, requests_version, ai_service, 'RateLimitError' as error_type, user_id, team_id,
        1 as failed_requests, usage_date + interval 9 hour as first_failed_at,
        first_failed_at as last_failed_at
        """,
        "range(1) as failures(n) where h % 8 = 0",
    ),
    "int_session_days": (
        """
        usage_date, requests_version, 's' || u || '/' || d as session_id,
        (u * 1000 + d)::ubigint as session_number, ai_service, user_id, team_id,
        'derived' as session_id_source, usage_date + interval 9 hour as started_at,
        started_at + to_seconds((1 + h % 9000)::double) as ended_at,
        list_transform(range(6), lambda n: hash(h, n)) as prompts,
        8 as requests, 6 as responses, 6600 + h % 999 as total_tokens, 0.0132 as cost_usd,
        0 as unpriced_requests, 0 as unpriced_tokens, 0 as requests_without_usage
        """,
        "range(1) as sessions(n)",
    ),
    "int_requests_version_by_day": (
        f"{FIRST} + n::integer as usage_date, 'made up ' || n as requests_version",
        None,
    ),
}
MADE_OF_THEM = ("int_usage_by_user_and_team", "int_sessions_by_ai", "int_usage_by_period")
MARTS = (
    "usage_by_team", "cost_by_team", "usage_by_ai_user_and_team", "growth_by_ai", "growth_by_user",
    "time_of_use_by_user", "response_times", "response_times_by_user", "session_lengths_by_user",
    "errors_by_type", "errors_by_user",
)  # fmt: skip


def make_up(warehouse: Path, users: int, days: int) -> None:
    """Fill the int_ tables that dbt has made, all of them empty."""
    with duckdb.connect(str(warehouse), config={"memory_limit": "8GB"}) as connection:
        connection.execute(CELLS.format(first=FIRST, users=users, days=days, ais=AIS))
        for table, (columns, also) in ROWS.items():
            source = f"made_up, {also}" if also else f"range({days}) as days(n)"
            connection.execute(f"insert into core.{table} by name select {columns} from {source}")
        (cells,) = connection.execute("select count(*) from made_up").fetchone()
        connection.execute("drop table made_up")
    print(f"made up {cells:,} rows of day, AI, user and team")


def built(home: Path, *nodes: str) -> None:
    """Build and test them, and print what each took."""
    from orchestration.warehouse.dbt import failures, run_dbt

    target = home / "dbt"
    arguments = ("build", "--quiet", "--select", *nodes, "--exclude-resource-type", "unit_test")
    results = run_dbt(*arguments, "--indirect-selection", "cautious", target=target)
    if failed := failures(results):
        sys.exit(failed)
    for result in json.loads((target / "run_results.json").read_text())["results"]:
        kind, _, name, *_ = result["unique_id"].split(".")
        print(f"  {kind} {name[:70]}: {result['execution_time']:.1f} s")


def published(home: Path, models: list[dict], name: str) -> None:
    """Publish the marts to a version of its own, and print what it took."""
    from orchestration.publication import tables as publication
    from orchestration.settings import load_settings

    settings, target = load_settings(), home / "versions" / name
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    before = home / "versions/whole" if name != "whole" else None
    # There are no requests here that sums could agree with.
    publication._adds_up = lambda _: True
    days = publication.days_of(settings)
    then = {
        day: "made up then" if number == 0 else made
        for number, (day, made) in enumerate(days.items())
    }
    started = time.time()
    tables = publication.copy_tables(settings, models, target, before, then if before else {})
    size = sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
    print(f"published {name}: {time.time() - started:.1f} s, {size / 1e6:,.0f} MB together")
    for table, rows in tables.items():
        path = target / "parquet" / table.replace(".", "/")
        files = path.rglob("*.parquet") if path.is_dir() else [path.with_suffix(".parquet")]
        parquet = sum(file.stat().st_size for file in files)
        print(f"  {table}: {rows:,} rows, {parquet / 1e6:,.0f} MB of Parquet")


def main() -> None:
    """Make it up, build, publish, change a day, publish."""
    users, days = (int(word) for word in (*sys.argv[1:3], "50000", "400")[:2])
    home = Path((*sys.argv[3:], "/tmp/fine_marts")[0])  # noqa: S108
    shutil.rmtree(home, ignore_errors=True)
    os.environ["AI_USAGE_HOME"] = str(home)
    os.chdir(PROJECT)
    from orchestration.settings import load_settings
    from orchestration.warehouse.dbt import run_dbt
    from orchestration.warehouse.project import project, public_models

    load_settings()
    empty = ("run", "--quiet", "--exclude", "config.materialized:nothing")
    run_dbt("seed", "--quiet", target=home / "dbt")
    run_dbt(*empty, target=home / "dbt")
    make_up(home / "warehouse.duckdb", users, days)
    built(home, *MADE_OF_THEM)
    built(home, *MARTS)
    models = [m for m in public_models(project()) if m["name"] in (*MARTS, "fct_requests")]
    published(home, models, "whole")
    with duckdb.connect(str(home / "warehouse.duckdb")) as connection:
        for table in (
            "int_response_time_buckets",
            "int_usage_by_user_and_team",
            "int_usage_by_user_hourly",
        ):
            measure = "responses" if "response" in table else "requests"
            connection.execute(
                f"update core.{table} set {measure} = {measure} + 1 where usage_date = {FIRST}"
            )
    published(home, models, "one day changed")


if __name__ == "__main__":
    main()
