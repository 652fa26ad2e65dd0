"""Ingestion alone, and its floor.

python -m benchmarks.ingestion                       what has landed, as a night takes it in
python -m benchmarks.ingestion bare <glob> <file>    read_json to Parquet, with the columns' types
"""

import sys

import duckdb

from orchestration.ingestion import ingest
from orchestration.settings import load_settings
from orchestration.sources import SOURCES

TYPES = (
    dict.fromkeys(["request_id", "provider", "model", "user_id", "user_name", "team_id"], "VARCHAR")
    | dict.fromkeys(["session_id", "prompt_id", "status", "error_type"], "VARCHAR")
    | {"requested_at": "TIMESTAMP", "is_cache_hit": "BOOLEAN", "cost_usd": "DECIMAL(20, 12)"}
    | dict.fromkeys(["input_tokens", "cache_read_tokens", "cache_write_tokens"], "BIGINT")
    | dict.fromkeys(["output_tokens", "reasoning_tokens"], "BIGINT")
    | dict.fromkeys(["response_time_ms", "time_to_first_token_ms"], "DOUBLE")
)


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
                from read_json('{files}', format = 'newline_delimited', columns = {TYPES})
            ) to '{target}' (format parquet, compression zstd)
            """
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
