"""What the floor and every peer are given beside the events: prices, and names of AI services.

python -m benchmarks.inputs EVENTS.jsonl PRICES.parquet SERVICES.parquet
"""

import sys
from pathlib import Path

import duckdb

from models.core.prices.int_list_prices import COLUMN_TYPES, price_cells

# What floor.sql calls the prices of the meters that the events have.
PRICES = {
    "input_uncached": "input_uncached_price",
    "cache_read": "cache_read_price",
    "cache_write": "cache_write_price",
    "output": "output_price",
    "reasoning": "reasoning_price",
    "request": "request_usd",
}
SEED = Path(__file__).resolve().parent.parent / "seeds/ai_services.csv"
EVENT_TYPES = {
    **dict.fromkeys(["request_id", "provider", "model", "user_id", "user_name"], "varchar"),
    **dict.fromkeys(["team_id", "session_id", "prompt_id", "status", "error_type"], "varchar"),
    "requested_at": "timestamp",
    "is_cache_hit": "boolean",
    **dict.fromkeys(["input_tokens", "cache_read_tokens", "cache_write_tokens"], "bigint"),
    **dict.fromkeys(["output_tokens", "reasoning_tokens"], "bigint"),
    **dict.fromkeys(["response_time_ms", "time_to_first_token_ms"], "double"),
    "cost_usd": "decimal(20, 12)",
}


def read_events(path: str) -> str:
    """Return SQL that reads JSON lines of the general format with their types."""
    return f"read_json('{path}', format = 'newline_delimited', columns = {EVENT_TYPES})"


def create_prices_and_services(connection: duckdb.DuckDBPyConnection, events: str) -> None:
    """Create `prices` and `ai_services`, as floor.sql reads them, for what occurs in the events.

    `events` is SQL to select from. Prices are USD per million tokens.
    """
    connection.execute(f"create temp table pairs as select distinct provider, model from {events}")
    pairs = connection.execute("select * from pairs").fetchall()
    # Of the cells what follows the tier and the region, and of the prices those that events need.
    cells = [
        [None if value is None else str(value) for value in (*pair, *cell[2:], *of_types)]
        for pair in pairs
        for cell, prices in price_cells(*pair, "standard")
        for of_types in [[prices[name] for name in PRICES]]
    ]
    of_cell = ["valid_from", "valid_to", "daily_from", "daily_to"]
    of_cell += ["input_tokens_above", "input_tokens_up_to"]
    columns = {name: COLUMN_TYPES[name] for name in ("provider", "model", *of_cell)}
    columns |= dict.fromkeys(PRICES.values(), COLUMN_TYPES["usd"])
    declared = ", ".join(f"{name} {kind}" for name, kind in columns.items())
    connection.execute(f"create table prices ({declared})")
    marks = ", ".join("?" * len(columns))
    connection.executemany(f"insert into prices values ({marks})", cells)
    connection.execute("create table rules as from read_csv(?, header = true)", [str(SEED)])
    connection.execute(
        """
        create table ai_services as
        select provider, coalesce(ai_service, provider) as ai_service
        from (select distinct provider from pairs)
        left join rules using (provider)
        where model_pattern is null or model_pattern = '*';
        drop table rules;
        """
    )


def main() -> None:
    """Write both as Parquet."""
    events, prices, services = sys.argv[1:]
    with duckdb.connect() as connection:
        create_prices_and_services(connection, read_events(events))
        connection.execute(f"copy prices to '{prices}'; copy ai_services to '{services}'")


if __name__ == "__main__":
    main()
