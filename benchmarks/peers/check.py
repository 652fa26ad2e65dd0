"""Compares the reports of peers with those of the floor, figure by figure.

python -m benchmarks.peers.check EVENTS.jsonl PRICES.parquet SERVICES.parquet FOLDER...

Dates, names, counts and money must be equal to the last digit. Averages, shares, rates and
percentiles may differ by one in a million, since tools add floats up in different orders.
"""

import sys
import tempfile
from pathlib import Path
from string import Template

import duckdb

from benchmarks.inputs import read_events

FLOOR = Path(__file__).resolve().parent.parent / "floor.sql"
STEPS = {"prices", "ai_services", "requests", "hourly", "daily", "by_ai_hourly", "sessions"}
# Peers write the percentiles that the floor has in one column in a column each.
PERCENTILES = {
    "percentiles_ms": ["p50_response_time_ms", "p95_response_time_ms", "p99_response_time_ms"],
    "percentiles_s": ["p50_session_length_s", "p95_session_length_s"],
}
WHOLE_KEYS = {"bucket", "hour_of_day", "weekday"}
TOLERANCE = 1e-6


def run_floor(
    connection: duckdb.DuckDBPyConnection, events: str, prices: str, services: str
) -> dict[str, dict[str, str]]:
    """Run floor.sql on the events, and return the columns and types of each of its reports."""
    with tempfile.TemporaryDirectory() as folder:
        # As ingestion leaves them: landed now, one folder per day.
        connection.execute(
            f"""
            copy (
                select *, cast(now() as timestamp) as landed_at,
                    cast(requested_at as date) as event_date
                from {read_events(events)}
            ) to '{folder}/raw' (format parquet, partition_by (event_date))
            """
        )
        connection.execute(f"create table prices as from '{prices}'")
        connection.execute(f"create table ai_services as from '{services}'")
        sql = Template(FLOOR.read_text()).safe_substitute(raw=f"{folder}/raw/*/*.parquet")
        connection.execute(sql)
    names = [name for (name,) in connection.execute("show tables").fetchall()]
    reports = {}
    for name in sorted(set(names) - STEPS):
        expand = ", ".join(
            f"{column}[{place}] as {percentile}"
            for column, percentiles in PERCENTILES.items()
            for place, percentile in enumerate(percentiles, 1)
            if column in _columns(connection, name)
        )
        unwanted = {"grain", *PERCENTILES, *_empty_keys(connection, name)}
        wanted = [column for column in _columns(connection, name) if column not in unwanted]
        expanded = ", ".join([*wanted, expand] if expand else wanted)
        connection.execute(f"create or replace table {name} as select {expanded} from {name}")
        reports[name] = _columns(connection, name)
    return reports


def _columns(connection: duckdb.DuckDBPyConnection, name: str) -> dict[str, str]:
    return {c: kind for c, kind, *_ in connection.execute(f"describe {name}").fetchall()}


def _empty_keys(connection: duckdb.DuckDBPyConnection, name: str) -> list[str]:
    """Return the keys that a grouping set leaves empty in this report."""
    names = [c for c in ("ai_service", "user_id") if c in _columns(connection, name)]
    counts = connection.execute(
        f"select {', '.join(f'count({c})' for c in names) or 0} from {name}"
    )
    return [c for c, count in zip(names, counts.fetchone(), strict=False) if not count]


def differences(
    connection: duckdb.DuckDBPyConnection, name: str, columns: dict[str, str], folder: Path
) -> list[str]:
    """Return a sentence for each way in which the peer's report differs from the floor's."""
    files = [path for path in folder.glob(f"{name}.*") if path.suffix in (".csv", ".parquet")]
    if len(files) != 1:
        return [f"{name}: {len(files)} files"]
    source = f"read_csv('{files[0]}', all_varchar = true, header = true)"
    if files[0].suffix == ".parquet":
        source = f"read_parquet('{files[0]}')"
    found = {c for c, *_ in connection.execute(f"describe select * from {source}").fetchall()}
    if found != set(columns):
        return [f"{name}: columns differ: {sorted(found ^ set(columns))}"]
    casts = ", ".join(f"cast({c} as {kind}) as {c}" for c, kind in columns.items())
    connection.execute(f"create or replace temp table peer as select {casts} from {source}")
    counts = connection.execute(
        f"select (select count(*) from {name}), (select count(*) from peer)"
    ).fetchone()
    if counts[0] != counts[1]:
        return [f"{name}: {counts[1]} rows in place of {counts[0]}"]
    keys = [
        c for c, kind in columns.items() if kind.split("(")[0] in ("VARCHAR", "DATE", "TIMESTAMP")
    ] + [c for c in columns if c in WHOLE_KEYS]
    joined = f"{name} as floor full join peer using ({', '.join(keys)})"
    (alone,) = connection.execute(
        f"select count(*) from {joined} where floor.rowid is null or peer.rowid is null"
    ).fetchone()
    if alone:
        return [f"{name}: {alone} rows of one have no partner in the other"]
    wrong = []
    for column, kind in columns.items():
        if column in keys:
            continue
        differs = f"floor.{column} is distinct from peer.{column}"
        if kind == "DOUBLE":
            differs += (
                f" and (abs(floor.{column} - peer.{column}) <= {TOLERANCE} * abs(floor.{column}))"
                " is not true"
            )
        count, *example = connection.execute(
            f"""
            select count(*), any_value(floor.{column}), any_value(peer.{column})
            from {joined} where {differs}
            """
        ).fetchone()
        if count:
            wrong.append(f"{name}.{column}: {count} differ, {example[1]} in place of {example[0]}")
    return wrong


def main() -> None:
    """Print what differs; exit with 1 if anything does."""
    events, prices, services, *folders = sys.argv[1:]
    wrong = False
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        reports = run_floor(connection, events, prices, services)
        for folder in folders:
            found = [
                sentence
                for name, columns in reports.items()
                for sentence in differences(connection, name, columns, Path(folder))
            ]
            rows = sum(
                connection.execute(f"select count(*) from {name}").fetchone()[0] for name in reports
            )
            print(*found or [f"{folder}: {len(reports)} reports agree, {rows:,} rows"], sep="\n")
            wrong = wrong or bool(found)
    sys.exit(wrong)


if __name__ == "__main__":
    main()
