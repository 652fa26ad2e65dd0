"""Exactly one list price applies to a request, and it costs what genai-prices says."""

import importlib.util
import random
import re
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import duckdb
import pytest
from genai_prices import Usage, calc_price
from genai_prices.data_snapshot import get_snapshot
from genai_prices.data_units import unit_data

PROJECT = Path(__file__).parents[2]
REQUESTS_PER_MODEL = 6
TOLERANCE = Decimal("1e-9")
LARGEST_BIGINT = 2**63 - 1
INPUT_METERS = [
    *("input_uncached", "input_audio", "input_image", "input_video", "cache_read"),
    *("cache_audio_read", "cache_write", "cache_write_5m", "cache_write_1h"),
]
NOT_TOLD = [
    usage
    for usage in unit_data
    if re.search("cache_(image|video|text)|cache_audio_write|output_.+_reasoning", usage)
]
OUTPUT_METERS = ["output", "reasoning", "output_audio", "output_image", "output_video"]


@pytest.fixture(scope="module")
def python_model():
    """Return the dbt model as a module, loaded by its path as dbt-duckdb does."""
    path = PROJECT / "models/core/prices/int_list_prices.py"
    spec = importlib.util.spec_from_file_location("int_list_prices", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def list_prices(python_model):
    """Return a function from offers to the relation that the dbt model returns of them.

    An offer is a provider, a model, a service tier and a region; `overrides` and `factors` are rows
    of the seeds, as far as the model reads them.
    """
    connection = duckdb.connect()
    seed = (
        "(provider text, {} text, service_tier text, region text, valid_from date, valid_to date)"
    )
    tables = {
        "int_model_days": "(provider text, model text, service_tier text, region text)",
        "price_overrides": seed.format("model"),
        "price_factors": seed.format("model_pattern"),
    }

    def run(offers, overrides=(), factors=()):
        for (name, columns), rows in zip(tables.items(), (offers, overrides, factors), strict=True):
            connection.execute(f"create or replace table {name} {columns}")
            if rows:
                marks = ", ".join("?" * len(rows[0]))
                connection.executemany(f"insert into {name} values ({marks})", rows)
        dbt = SimpleNamespace(
            config=lambda **settings: None,
            ref=lambda name: connection.table(name),
        )
        return python_model.model(dbt, connection)

    return run


@pytest.fixture(scope="module")
def meters():
    """Return the names of the meters that the SQL models know."""
    text = "".join(
        (PROJECT / f"macros/{name}.sql").read_text() for name in ("token_types", "meters")
    )
    names = re.findall(r"\{'name': '(\w+)', '(?:part_of|type)'", text)
    assert len(names) == len(set(names))
    return set(names)


def fetch_cells(relation):
    """Return each offer's price cells as dictionaries; times as text, for Python has no 24:00."""
    texts = relation.project(
        "* replace (daily_from::text as daily_from, daily_to::text as daily_to)"
    )
    cells = {}
    for row in texts.fetchall():
        price = dict(zip(texts.columns, row, strict=True))
        meter, usd = price.pop("meter"), price.pop("usd")
        offer = tuple(price[name] for name in ("provider", "model", "service_tier", "region"))
        key = (price["valid_from"], price["daily_from"], price["input_tokens_above"])
        cells.setdefault(offer, {}).setdefault(key, price)[meter] = usd
    return {offer: list(of_offer.values()) for offer, of_offer in cells.items()}


def cells_that_apply(cells, requested_at, input_tokens):
    """Return the cells that hold this moment and size, by the bounds that SQL joins on."""
    return [
        cell
        for cell in cells
        if cell["valid_from"] <= requested_at.replace(tzinfo=None) < cell["valid_to"]
        and cell["daily_from"] <= requested_at.time().isoformat() < cell["daily_to"]
        and cell["input_tokens_above"] < input_tokens <= cell["input_tokens_up_to"]
    ]


def cost(cell, counts):
    """Return counts times unit prices, as the library adds them up: 0 for what has none."""
    per = {"web_search": 1, "request": 1}
    return sum(
        count * (cell[meter] or Decimal(0)) / per.get(meter, 1_000_000)
        for meter, count in {**counts, "request": 1}.items()
    )


def cost_by_library(provider, model, requested_at, counts, service_tier="standard"):
    """Return what genai-prices asks for the same tokens, in its own overlapping usages."""
    audio = counts["input_audio"] + counts["cache_audio_read"]
    cached = counts["cache_read"] + counts["cache_audio_read"]
    five, hour = counts["cache_write_5m"], counts["cache_write_1h"]
    # What is not told of two kinds together, such as images read from a cache, it will not guess.
    usage = Usage(
        **dict.fromkeys(NOT_TOLD, 0),
        input_tokens=sum(counts[meter] for meter in INPUT_METERS),
        cache_read_tokens=cached,
        cache_write_tokens=counts["cache_write"] + five + hour,
        cache_write_5m_tokens=five,
        cache_write_1h_tokens=hour,
        input_audio_tokens=audio,
        cache_audio_read_tokens=counts["cache_audio_read"],
        input_image_tokens=counts["input_image"],
        input_video_tokens=counts["input_video"],
        output_tokens=sum(counts[meter] for meter in OUTPUT_METERS),
        output_reasoning_tokens=counts["reasoning"],
        output_audio_tokens=counts["output_audio"],
        output_image_tokens=counts["output_image"],
        output_video_tokens=counts["output_video"],
        web_searches=counts["web_search"],
    )
    context = {"service_tier": service_tier, "processing": service_tier, "speed": service_tier}
    price = calc_price(
        usage,
        model,
        provider_id=provider,
        genai_request_timestamp=requested_at,
        price_context=context,
    )
    return price.total_price


def moments_of_change(model):
    """Return the moments at which the library's data changes a price of this model."""
    conditions = list(model.prices) if isinstance(model.prices, list) else []
    conditions += model.price_variants or []
    bounds = [bound for c in conditions if c.constraint for bound in vars(c.constraint).values()]
    days = [bound for bound in bounds if isinstance(bound, date)]
    times = [bound.replace(tzinfo=None) for bound in bounds if isinstance(bound, time)]
    return [
        datetime.combine(day, moment, UTC)
        for day in [*days, date(2024, 2, 29), date(2031, 7, 1)]
        for moment in [time(0), *times]
    ]


def random_counts(chance, input_tokens):
    """Split this many input tokens at random over meters, and draw output and searches."""

    def split(tokens, among):
        counts = dict.fromkeys(among, 0)
        for meter in chance.sample(among, chance.randint(0, 3)):
            counts[meter] = chance.randint(0, tokens - sum(counts.values()))
        counts[chance.choice(among)] += tokens - sum(counts.values())
        return counts

    outputs = chance.choice([0, chance.randint(0, 200_000)])
    searches = chance.choice([0, 0, chance.randint(1, 20)])
    return {
        **split(input_tokens, INPUT_METERS),
        **split(outputs, OUTPUT_METERS),
        "web_search": searches,
    }


def has_token_price(model):
    """Tell whether the library has a price for a token of this model."""
    prices = (
        model.prices if isinstance(model.prices, list) else [SimpleNamespace(prices=model.prices)]
    )
    return any("mtok" in key for price in prices for key in vars(price.prices))


def a_name_of(model, provider):
    """Return a name that the library takes for this model, or none if another model takes them."""
    names = [model.id, *texts_of(model.match)]
    return next((name for name in names if provider.find_model(name) is model), None)


def texts_of(clause):
    """Yield every text that a model's name is compared with."""
    for value in vars(clause).values():
        if isinstance(value, list):
            yield from (text for part in value for text in texts_of(part))
        else:
            yield value


def tiers_of(model):
    """Return the service tiers that the library has prices of this model for."""
    return {
        value
        for variant in model.price_variants or []
        for key, value in variant.when.items()
        if key in ("service_tier", "processing", "speed") and value != "default"
    }


def test_every_request_has_one_price_and_it_is_the_librarys(list_prices, meters):
    assert {*INPUT_METERS, *OUTPUT_METERS} == meters
    chance = random.Random(20251122)
    models = {
        (provider.id, a_name_of(model, provider), tier, ""): model
        for provider in get_snapshot().providers
        for model in provider.models
        if has_token_price(model) and a_name_of(model, provider)
        for tier in ("standard", *sorted(tiers_of(model)))
    }
    cells = fetch_cells(list_prices(list(models)))
    assert cells.keys() == models.keys()
    assert len(models) > 2_100

    for offer, model in models.items():
        provider, model_name, tier, _ = offer
        moments = moments_of_change(model)
        tier_starts = {cell["input_tokens_above"] for cell in cells[offer]} - {-1}
        sizes = [start + step for start in tier_starts for step in (-1, 0, 1)]
        for _ in range(REQUESTS_PER_MODEL + len(moments) + len(sizes)):
            requested_at = chance.choice(moments) + chance.choice(
                [timedelta(microseconds=-1), timedelta(0), timedelta(hours=chance.uniform(-24, 24))]
            )
            input_tokens = chance.choice([0, 1, chance.randint(0, 2_000_000), *sizes])
            counts = random_counts(chance, input_tokens)
            applying = cells_that_apply(cells[offer], requested_at, input_tokens)
            request = f"{offer} at {requested_at} with {counts}"
            assert len(applying) == 1, request
            expected = cost_by_library(provider, model_name, requested_at, counts, tier)
            assert abs(cost(applying[0], counts) - expected) < TOLERANCE, request


def test_a_price_holds_from_a_day_on_for_a_tier(list_prices):
    """Before that day the tier has no price of its own: a factor of the seed must stand in."""
    cells = fetch_cells(list_prices([("openai", "gpt-5", "flex", "")]))
    told = [
        (cell["valid_from"].date(), cell["is_tier_in_price"], cell["output"])
        for cell in cells["openai", "gpt-5", "flex", ""]
    ]
    assert told == [
        (date(1970, 1, 1), False, 10),
        (date(2026, 10, 12), True, 5),
    ]


def test_cells_begin_and_end_where_rows_of_the_seeds_do(list_prices):
    """What has neither a list price nor an override has no cell."""
    offers = [
        ("acme", "in-house", "standard", ""),
        ("openai", "gpt-4o", "batch", "eu"),
        ("openai", "gpt-4o", "standard", ""),
    ]
    overrides = [("acme", "in-house", None, None, date(2026, 1, 1), date(2026, 2, 1))]
    factors = [
        ("openai", "gpt-4*", "batch", None, date(2024, 4, 15), None),
        ("openai", "*", None, "e?", None, date(2026, 3, 1)),
        ("openai", "o3*", "batch", None, date(2025, 4, 15), None),
        ("azure", "*", "batch", None, date(2023, 4, 15), None),
    ]
    cells = fetch_cells(list_prices(offers, overrides, factors))

    def days(*offer):
        return [str(cell["valid_from"].date()) for cell in cells[offer]]

    assert days("acme", "in-house", "standard", "") == ["1970-01-01", "2026-01-01", "2026-02-01"]
    assert days("openai", "gpt-4o", "standard", "") == ["1970-01-01"]
    of_batch = days("openai", "gpt-4o", "batch", "eu")
    assert of_batch == ["1970-01-01", "2024-04-15", "2026-03-01", "2026-10-14"]
    assert fetch_cells(list_prices(offers[:1])) == {}


@pytest.mark.parametrize(
    ("provider", "model", "provider_of_the_library"),
    [
        ("OpenAI", "gpt-4o", "openai"),
        ("gemini", "gemini-2.5-pro", "google"),
        ("vertex_ai", "gemini-2.5-pro", "google"),
        ("bedrock", "anthropic.claude-3-5-sonnet-20241022-v2:0", "aws"),
        ("xai", "grok-4", "x-ai"),
    ],
)
def test_the_names_that_gateways_give_a_provider_are_priced(
    list_prices, provider, model, provider_of_the_library
):
    cells = fetch_cells(list_prices([(provider, model, "standard", "")]))
    counts = dict.fromkeys([*INPUT_METERS, *OUTPUT_METERS, "web_search"], 0)
    counts |= dict.fromkeys(["input_uncached", "cache_read", "output", "reasoning"], 1_000)
    requested_at = datetime(2025, 11, 1, 12, tzinfo=UTC)
    (cell,) = cells_that_apply(cells[provider, model, "standard", ""], requested_at, 2_000)
    assert cost(cell, counts) == cost_by_library(
        provider_of_the_library, model, requested_at, counts
    )


def test_what_the_library_does_not_know_has_no_price(list_prices):
    unknown = [
        ("acme", "gpt-4o"),
        ("unknown", "gpt-4o"),
        ("", "gpt-4o"),
        ("groq", "gpt-4o"),
        ("openai", "a-model-of-our-own"),
        ("openai", ""),
        (None, "gpt-4o"),
        ("openai", None),
        ("groq", "whisper-large-v3"),  # by the second, not by the token
    ]
    offers = [(*names, "standard", "") for names in unknown]
    assert list_prices(offers).fetchall() == []


def test_every_column_is_typed_even_without_a_row(list_prices):
    for provider in ("acme", "openai"):
        relation = list_prices([(provider, "gpt-4o", "standard", "")])
        assert dict(zip(relation.columns, map(str, relation.types), strict=True)) == {
            **dict.fromkeys(["provider", "model", "service_tier", "region"], "VARCHAR"),
            **dict.fromkeys(["is_tier_in_price", "is_region_in_price"], "BOOLEAN"),
            "valid_from": "TIMESTAMP",
            "valid_to": "TIMESTAMP",
            "daily_from": "TIME",
            "daily_to": "TIME",
            "input_tokens_above": "BIGINT",
            "input_tokens_up_to": "BIGINT",
            "meter": "VARCHAR",
            "usd": "DECIMAL(18,12)",
        }


def test_open_ends_are_sentinels_and_a_request_may_have_a_price(list_prices):
    (cells,) = fetch_cells(list_prices([("perplexity", "sonar", "standard", "")])).values()
    (cell,) = cells
    assert (cell["valid_from"], cell["valid_to"]) == (datetime(1970, 1, 1), datetime(9999, 12, 31))
    assert (cell["daily_from"], cell["daily_to"]) == ("00:00:00", "24:00:00")
    assert (cell["input_tokens_above"], cell["input_tokens_up_to"]) == (-1, LARGEST_BIGINT)
    assert cell["request"] == Decimal("0.012")
