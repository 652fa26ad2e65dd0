"""The list prices of the models that occur, one row per cell in which the prices stay the same.

A cell is a provider and model, a period, a daily window (UTC) and a range of input tokens. The
cells of a model are disjoint and cover all times and sizes, so exactly one applies to a request.

Every rule is the library's (pydantic/genai-prices, its installed data, no network): which model a
name means, which price is active when, what a token type without a price of its own costs. Its
data is read only for where a price can change; what tokens cost in between, it is asked. It charges
0 where it has no price, so a type without one has null here, and a model or period without any gets
no row: never free. But what OpenRouter calls :free is.
"""

from datetime import UTC, date, datetime, time
from functools import partial
from itertools import pairwise, product

import pandas as pd
from genai_prices import Usage
from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import TieredPrices

MILLION = 1_000_000
# What the library calls the tokens of each type that macros/token_types.sql names; the first of
# each are the rest of the input or output, and have no name.
INPUT_TYPES = {
    "input_uncached": None,
    "cache_read": "cache_read_tokens",
    "cache_write": "cache_write_tokens",
}
OUTPUT_TYPES = {"output": None, "reasoning": "output_reasoning_tokens"}
COLUMN_TYPES = {
    **dict.fromkeys(["provider", "model"], "varchar"),
    **dict.fromkeys(["valid_from", "valid_to"], "timestamp"),
    **dict.fromkeys(["daily_from", "daily_to"], "time"),
    **dict.fromkeys(["input_tokens_above", "input_tokens_up_to"], "bigint"),
    # 12 decimals: the library holds some prices as a float left them (0.041666666666666664), and a
    # billion tokens still cost the same within 1e-9 USD.
    **dict.fromkeys(
        [f"{name}_usd_per_million_tokens" for name in [*INPUT_TYPES, *OUTPUT_TYPES]],
        "decimal(18, 12)",
    ),
    "request_usd": "decimal(18, 9)",
}


# All times of all days: valid_from, valid_to, daily_from, daily_to.
ALWAYS = (date(1970, 1, 1), date(9999, 12, 31), time(0), "24:00:00")


def model(dbt, session):
    """Return the price cells of each provider and model in dim_models."""
    dbt.config(materialized="table")
    named = dbt.ref("dim_models").filter("provider is not null and model is not null")
    pairs = named.project("provider, model").distinct().order("provider, model").fetchall()
    cells = [
        [None if value is None else str(value) for value in cell]
        for pair in pairs
        for cell in price_cells(*pair)
    ]
    # Text until DuckDB casts it: a price must not pass through a float.
    texts = session.from_df(pd.DataFrame(cells, columns=list(COLUMN_TYPES), dtype=object))
    casts = [f"cast({name} as {type_}) as {name}" for name, type_ in COLUMN_TYPES.items()]
    return texts.project(", ".join(casts))


def price_cells(provider_name, model_name):
    """Yield one row per cell, none for a provider or model that the library does not know."""
    if provider_name == "openrouter" and model_name.endswith(":free"):
        free = (0,) * (len(INPUT_TYPES) + len(OUTPUT_TYPES) + 1)
        yield provider_name, model_name, *ALWAYS, -1, 2**63 - 1, *free
        return
    try:
        provider, known = get_snapshot().find_provider_model(model_name, None, provider_name, None)
    except LookupError:
        return
    days, times = change_points(known)
    for (valid_from, valid_to), (daily_from, daily_to) in product(pairwise(days), pairwise(times)):
        at = datetime.combine(valid_from, daily_from, UTC)
        prices = known.get_prices(at)
        if prices.input_mtok is None and prices.output_mtok is None:
            continue
        tiered = [price for price in vars(prices).values() if isinstance(price, TieredPrices)]
        starts = {tier.start for price in tiered for tier in price.tiers}
        for above, up_to in pairwise([-1, *sorted(starts), 2**63 - 1]):
            cell = (valid_from, valid_to, daily_from, daily_to, above, up_to)
            yield provider_name, model_name, *cell, *unit_prices(provider, known, at, above + 1)


def change_points(known):
    """Return the days, and the times of day in UTC, on which prices can change, with both ends."""
    conditions = known.prices if isinstance(known.prices, list) else []
    points = [point for c in conditions if c.constraint for point in vars(c.constraint).values()]
    if other := [point for point in points if not isinstance(point, date | time)]:
        raise TypeError(f"The price of {known.id} depends on {other}: neither a day nor a time.")
    day_zero, last_day = date(1970, 1, 1), date(9999, 12, 31)
    zoned = [datetime.combine(day_zero, p, p.tzinfo or UTC) for p in points if isinstance(p, time)]
    times = {time(0)} | {moment.astimezone(UTC).time() for moment in zoned}
    days = {day_zero, last_day} | {point for point in points if isinstance(point, date)}
    return sorted(days), [*sorted(times), "24:00:00"]


def unit_prices(provider, known, at, fewest):
    """Ask for the price of a million tokens of each type, and of a request, from this size on."""
    ask = partial(known.calc_price, provider=provider, genai_request_timestamp=at)
    prices = known.get_prices(at)
    size = max(fewest, 1)
    for type_, name in INPUT_TYPES.items():
        part = {name: size} if name else {}
        has_price = {"input_mtok", f"{type_}_mtok"} & vars(prices).keys()
        price = ask(Usage(input_tokens=size, **part)).input_price * MILLION / size
        yield price if has_price else None
    for name in OUTPUT_TYPES.values():
        part = {name: MILLION} if name else {}
        price = ask(Usage(input_tokens=fewest, output_tokens=MILLION, **part)).output_price
        yield price if prices.output_mtok is not None else None
    no_output = ask(Usage(input_tokens=fewest))
    yield no_output.total_price - no_output.input_price
