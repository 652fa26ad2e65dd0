"""Ingestion alone, and its floor.

python -m benchmarks.ingestion                       what has landed, as a night takes it in
python -m benchmarks.ingestion bare <glob> <file>    read_json to Parquet, with the columns' types
"""

import sys

import duckdb

from benchmarks.inputs import read_events
from orchestration.ingestion import ingest
from orchestration.settings import load_settings
from orchestration.sources import SOURCES


def main(*arguments: str) -> None:
    """See the module."""
    if not arguments:
        settings = load_settings()
        print(sum(ingest(settings, source).accepted for source in SOURCES))
        return
    _, files, target = arguments
    with duckdb.connect(config={"threads": 2}) as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(
            f"""
            copy (
                from {read_events(files)}
            ) to '{target}' (format parquet, compression zstd)
            """
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
