"""Runs floor.sql on the raw events of a warehouse that has been built.

python -m benchmarks.floor <home> <database>
"""

import sys
from pathlib import Path

import duckdb

# Prices and names are given: which they are is not what is measured.
PREPARE = """
    attach '{home}/warehouse.duckdb' as built (read_only);

    create table prices as
    select
        provider, model, valid_from, valid_to, daily_from, daily_to, input_tokens_above,
        input_tokens_up_to,
        input_uncached_usd_per_million_tokens as input_uncached_price,
        cache_read_usd_per_million_tokens as cache_read_price,
        cache_write_usd_per_million_tokens as cache_write_price,
        output_usd_per_million_tokens as output_price,
        reasoning_usd_per_million_tokens as reasoning_price
    from built.core.dim_prices;

    create table ai_services as select distinct provider, ai_service from built.core.dim_models;
"""
TOTALS = """
    select sum(requests), sum(total_tokens), sum(cost_usd) from {schema}cost_by_day_and_user
"""


def main(home: str, database: str) -> None:
    """Write all tables of floor.sql to a new database, and see that they add up as the marts do."""
    Path(database).unlink(missing_ok=True)
    settings = {"threads": 2, "memory_limit": "8GB", "temp_directory": f"{database}.tmp"}
    with duckdb.connect(database, config=settings) as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(PREPARE.format(home=home))
        expected = connection.execute(TOTALS.format(schema="built.cost.")).fetchone()
        connection.execute("detach built")
        statements = (Path(__file__).parent / "floor.sql").read_text()
        connection.execute(statements.replace("$raw", f"{home}/raw/gateway/*/*.parquet"))
        found = connection.execute(TOTALS.format(schema="")).fetchone()
    if found != expected:
        sys.exit(f"The floor has {found} requests, tokens and USD; built were {expected}")
    print("{} requests, {} tokens, {} USD".format(*found))


if __name__ == "__main__":
    main(*sys.argv[1:])
