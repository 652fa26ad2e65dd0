"""The list prices of the models that occur, one row per meter and cell in which they stay the same.

A cell is a provider, model, service tier and region, a period, a daily window (UTC) and a range of
input tokens. The cells of one model, tier and region are disjoint and cover all times and sizes, so
exactly one applies to a request.

Every rule is the library's (pydantic/genai-prices, its installed data, no network): which model a
name means, which price is active when and for which tier, what a meter without a price of its own
costs. Its data is read only for where a price can change; what tokens cost in between, it is asked.
It charges 0 where it has no price, so a meter without one has null here, and a model or period
without any gets no row: never free. But what OpenRouter calls :free is. It knows no regions but
those that Bedrock's models have in their names: a region makes cells for the seed price_factors.
"""

from datetime import UTC, date, datetime, time
from fnmatch import fnmatchcase
from functools import partial
from itertools import pairwise, product

import pandas as pd
from genai_prices import Usage
from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import TieredPrices

MILLION = 1_000_000
# The meters of macros/meters.sql, each with the usages of the library that it is counted in; and
# what is paid by the piece.
METERS = {
    "input_audio": ["input_tokens", "input_audio_tokens"],
    "input_image": ["input_tokens", "input_image_tokens"],
    "input_video": ["input_tokens", "input_video_tokens"],
    "input_uncached": ["input_tokens"],
    "cache_audio_read": [
        *("input_tokens", "input_audio_tokens", "cache_read_tokens", "cache_audio_read_tokens")
    ],
    "cache_read": ["input_tokens", "cache_read_tokens"],
    "cache_write_5m": ["input_tokens", "cache_write_tokens", "cache_write_5m_tokens"],
    "cache_write_1h": ["input_tokens", "cache_write_tokens", "cache_write_1h_tokens"],
    "cache_write": ["input_tokens", "cache_write_tokens"],
    "output_audio": ["output_tokens", "output_audio_tokens"],
    "output_image": ["output_tokens", "output_image_tokens"],
    "output_video": ["output_tokens", "output_video_tokens"],
    "output": ["output_tokens"],
    "reasoning": ["output_tokens", "output_reasoning_tokens"],
    "web_search": ["web_searches"],
    "request": [],
}
COLUMN_TYPES = {
    **dict.fromkeys(["provider", "model", "service_tier", "region"], "varchar"),
    **dict.fromkeys(["is_tier_in_price", "is_region_in_price"], "boolean"),
    **dict.fromkeys(["valid_from", "valid_to"], "timestamp"),
    **dict.fromkeys(["daily_from", "daily_to"], "time"),
    **dict.fromkeys(["input_tokens_above", "input_tokens_up_to"], "bigint"),
    "meter": "varchar",
    # 12 decimals: the library holds some prices as a float left them (0.041666666666666664), and a
    # billion tokens still cost the same within 1e-9 USD.
    "usd": "decimal(18, 12)",
}
ALL_DAYS, ALL_DAY = (date(1970, 1, 1), date(9999, 12, 31)), (time(0), "24:00:00")
ANY_SIZE = (-1, 2**63 - 1)
FREE, UNKNOWN = dict.fromkeys(METERS, 0), dict.fromkeys(METERS)


def model(dbt, session):
    """Return the prices of each provider, model, service tier and region that occurs."""
    dbt.config(materialized="table")
    offers = (
        dbt.ref("int_model_days")
        .filter("provider is not null and model is not null")
        .project("provider, model, service_tier, region")
        .distinct()
        .order("all")
        .fetchall()
    )
    columns = "provider, {}, service_tier, {}, valid_from, valid_to"
    overrides = dbt.ref("price_overrides").project(columns.format("model", "null")).fetchall()
    factors = dbt.ref("price_factors").project(columns.format("model_pattern", "region")).fetchall()
    rows = [
        [None if value is None else str(value) for value in (*offer, *cell, meter, usd)]
        for offer in offers
        for cell, prices in price_cells(*offer, overrides, factors)
        for meter, usd in prices.items()
    ]
    # Text until DuckDB casts it: a price must not pass through a float.
    texts = session.from_df(pd.DataFrame(rows, columns=list(COLUMN_TYPES), dtype=object))
    casts = [f"cast({name} as {type_}) as {name}" for name, type_ in COLUMN_TYPES.items()]
    return texts.project(", ".join(casts))


def price_cells(provider_name, model_name, service_tier, region="", overrides=(), factors=()):
    """Yield each cell with its prices by meter.

    `overrides` and `factors` are rows of the seeds. Where they begin and end, cells do, too; and
    what the organisation prices has cells, with prices or without, whether the library knows it or
    not.
    """
    overrides = [row for row in overrides if row[:2] == (provider_name, model_name)]
    factors = [
        row
        for row in factors
        if row[0] == provider_name
        and fnmatchcase(model_name, row[1])
        and (row[2] == service_tier or fnmatchcase(region, row[3] or "-"))
    ]
    seeded = {day for row in overrides + factors for day in row[4:] if day is not None}
    is_free = provider_name == "openrouter" and model_name.endswith(":free")
    try:
        provider, known = get_snapshot().find_provider_model(model_name, None, provider_name, None)
    except LookupError:
        known = None
    if is_free or not known:
        days = pairwise(sorted({*ALL_DAYS, *seeded}) if is_free or overrides else ())
        for valid_from, valid_to in days:
            cell = (is_free, is_free, valid_from, valid_to, *ALL_DAY, *ANY_SIZE)
            yield cell, FREE if is_free else UNKNOWN
        return
    # What another provider's price stands in for has no prices by tier.
    own = any(known is model for model in provider.models)
    variants = [v for v in known.price_variants or [] if own and is_of(v, service_tier)]
    is_region_in_price = known.id.startswith(("global.", "regional."))
    days, times = change_points(known, variants)
    days = pairwise(sorted({*days, *seeded}))
    for (valid_from, valid_to), (daily_from, daily_to) in product(days, pairwise(times)):
        at = datetime.combine(valid_from, daily_from, UTC)
        context = context_of(service_tier)
        prices = known.get_prices(at, context if own else None)
        priced = {name: price for name, price in vars(prices).items() if price is not None}
        has_prices = any(name.endswith("_mtok") for name in priced)
        if not has_prices and not overrides:
            continue
        is_tier_in_price = any(v.constraint is None or v.constraint.active(at) for v in variants)
        ask = partial(
            known.calc_price, provider=provider, genai_request_timestamp=at, price_context=context
        )
        sized = [price for price in priced.values() if isinstance(price, TieredPrices)]
        starts = {step.start for price in sized for step in price.tiers}
        for above, up_to in pairwise([-1, *sorted(starts), 2**63 - 1]):
            cell = (valid_from, valid_to, daily_from, daily_to, above, up_to)
            asked = unit_prices(ask, prices, above + 1) if has_prices else UNKNOWN
            yield (is_tier_in_price, is_region_in_price, *cell), asked


def context_of(service_tier):
    """Return what the library knows a tier by: which of its words it is, differs by provider."""
    return dict.fromkeys(["service_tier", "processing", "speed"], service_tier)


def is_of(variant, service_tier):
    """Tell whether these prices are a tier's, whatever else they hold for."""
    context = context_of(service_tier)
    return all(context.get(key) == value for key, value in variant.when.items())


def change_points(known, variants):
    """Return the days, and the times of day in UTC, on which prices can change, with both ends."""
    conditions = [*(known.prices if isinstance(known.prices, list) else []), *variants]
    points = [point for c in conditions if c.constraint for point in vars(c.constraint).values()]
    if other := [point for point in points if not isinstance(point, date | time)]:
        raise TypeError(f"The price of {known.id} depends on {other}: neither a day nor a time.")
    zoned = [
        datetime.combine(ALL_DAYS[0], p, p.tzinfo or UTC) for p in points if isinstance(p, time)
    ]
    times = {time(0)} | {moment.astimezone(UTC).time() for moment in zoned}
    days = {*ALL_DAYS} | {point for point in points if isinstance(point, date)}
    return sorted(days), [*sorted(times), "24:00:00"]


def unit_prices(ask, prices, fewest):
    """Ask what a million tokens of each meter cost, a search and a request.

    `fewest` are the input tokens from which on the prices hold.
    """
    size = max(fewest, 1)
    request = ask(Usage(input_tokens=fewest))
    asked = {}
    for meter, usages in METERS.items():
        if meter == "request":
            asked[meter] = request.total_price - request.input_price
        elif not any(getattr(prices, price_key(usage)) is not None for usage in usages):
            asked[meter] = None
        elif meter == "web_search":
            asked[meter] = ask(Usage(input_tokens=fewest, web_searches=1)).total_price
            asked[meter] -= request.total_price
        elif "input_tokens" in usages:
            asked[meter] = ask(Usage(**dict.fromkeys(usages, size))).input_price * MILLION / size
        else:
            usage = Usage(input_tokens=fewest, **dict.fromkeys(usages, MILLION))
            asked[meter] = ask(usage).output_price
    return asked


def price_key(usage):
    """Return what the library calls the price of a usage."""
    return {"web_searches": "web_searches_kcount"}.get(usage, usage.replace("_tokens", "_mtok"))
