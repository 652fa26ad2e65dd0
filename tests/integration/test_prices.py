"""Exactly one list price applies to a request, and it costs what genai-prices says."""

import importlib.util
import random
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import duckdb
import pytest
from genai_prices import Usage, calc_price
from genai_prices.data_snapshot import get_snapshot
from jinja2.nativetypes import NativeEnvironment

PROJECT = Path(__file__).parents[2]
REQUESTS_PER_MODEL = 6
TOLERANCE = Decimal("1e-9")
LARGEST_BIGINT = 2**63 - 1


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
    """Return a function from (provider, model) pairs to the relation that the dbt model returns."""
    connection = duckdb.connect()

    def run(pairs):
        connection.execute("create or replace table dim_models (provider text, model text)")
        connection.executemany("insert into dim_models values (?, ?)", pairs)
        dbt = SimpleNamespace(
            config=lambda **settings: None,
            ref=lambda name: connection.table(name),
        )
        return python_model.model(dbt, connection)

    return run


@pytest.fixture(scope="module")
def token_types():
    """Return the names of the token types that the SQL models know."""
    returned = []
    macros = NativeEnvironment().from_string((PROJECT / "macros" / "token_types.sql").read_text())
    macros.make_module({"return": returned.append}).token_types()
    return [token_type["name"] for token_type in returned[0]]


def fetch_cells(relation):
    """Return each pair's price cells as dictionaries; times as text, for Python has no 24:00."""
    texts = relation.project(
        "* replace (daily_from::text as daily_from, daily_to::text as daily_to)"
    )
    cells = {}
    for row in texts.fetchall():
        cell = dict(zip(texts.columns, row, strict=True))
        cells.setdefault((cell["provider"], cell["model"]), []).append(cell)
    return cells


def cells_that_apply(cells, requested_at, input_tokens):
    """Return the cells that hold this moment and size, by the bounds that SQL joins on."""
    return [
        cell
        for cell in cells
        if cell["valid_from"] <= requested_at.replace(tzinfo=None) < cell["valid_to"]
        and cell["daily_from"] <= requested_at.time().isoformat() < cell["daily_to"]
        and cell["input_tokens_above"] < input_tokens <= cell["input_tokens_up_to"]
    ]


def cost(cell, tokens):
    """Return tokens times unit prices, as the library adds them up: 0 for what has none."""
    return cell["request_usd"] + sum(
        count * (cell[f"{token_type}_usd_per_million_tokens"] or Decimal(0)) / 1_000_000
        for token_type, count in tokens.items()
    )


def cost_by_library(provider, model, requested_at, tokens):
    """Return what genai-prices asks for the same tokens, in its own overlapping token types."""
    usage = Usage(
        input_tokens=tokens["input_uncached"] + tokens["cache_read"] + tokens["cache_write"],
        cache_read_tokens=tokens["cache_read"],
        cache_write_tokens=tokens["cache_write"],
        output_tokens=tokens["output"] + tokens["reasoning"],
        output_reasoning_tokens=tokens["reasoning"],
    )
    price = calc_price(usage, model, provider_id=provider, genai_request_timestamp=requested_at)
    return price.total_price


def moments_of_change(model):
    """Return the moments at which the library's data changes a price of this model."""
    conditions = model.prices if isinstance(model.prices, list) else []
    bounds = [bound for c in conditions if c.constraint for bound in vars(c.constraint).values()]
    days = [bound for bound in bounds if isinstance(bound, date)]
    times = [bound.replace(tzinfo=None) for bound in bounds if isinstance(bound, time)]
    return [
        datetime.combine(day, moment, UTC)
        for day in [*days, date(2024, 2, 29), date(2031, 7, 1)]
        for moment in [time(0), *times]
    ]


def random_tokens(chance, input_tokens):
    """Split this many input tokens at random, and draw output and reasoning tokens."""
    cache_read = chance.choice([0, chance.randint(0, input_tokens)])
    cache_write = chance.choice([0, chance.randint(0, input_tokens - cache_read)])
    return {
        "input_uncached": input_tokens - cache_read - cache_write,
        "cache_read": cache_read,
        "cache_write": cache_write,
        "output": chance.choice([0, chance.randint(0, 200_000)]),
        "reasoning": chance.choice([0, chance.randint(0, 200_000)]),
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


def test_every_request_has_one_price_and_it_is_the_librarys(list_prices):
    chance = random.Random(20251122)
    models = {
        (provider.id, a_name_of(model, provider)): model
        for provider in get_snapshot().providers
        for model in provider.models
        if has_token_price(model) and a_name_of(model, provider)
    }
    cells = fetch_cells(list_prices(list(models)))
    assert cells.keys() == models.keys()
    assert len(models) > 2_000

    for (provider, model_name), model in models.items():
        moments = moments_of_change(model)
        tier_starts = {cell["input_tokens_above"] for cell in cells[provider, model_name]} - {-1}
        sizes = [start + step for start in tier_starts for step in (-1, 0, 1)]
        for _ in range(REQUESTS_PER_MODEL + len(moments) + len(sizes)):
            requested_at = chance.choice(moments) + chance.choice(
                [timedelta(microseconds=-1), timedelta(0), timedelta(hours=chance.uniform(-24, 24))]
            )
            input_tokens = chance.choice([0, 1, chance.randint(0, 2_000_000), *sizes])
            tokens = random_tokens(chance, input_tokens)
            applying = cells_that_apply(cells[provider, model_name], requested_at, input_tokens)
            request = f"{provider} {model_name} at {requested_at} with {tokens}"
            assert len(applying) == 1, request
            expected = cost_by_library(provider, model_name, requested_at, tokens)
            assert abs(cost(applying[0], tokens) - expected) < TOLERANCE, request


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
    cells = fetch_cells(list_prices([(provider, model)]))[provider, model]
    tokens = dict.fromkeys(["input_uncached", "cache_read", "output", "reasoning"], 1_000)
    tokens["cache_write"] = 0
    requested_at = datetime(2025, 11, 1, 12, tzinfo=UTC)
    (cell,) = cells_that_apply(cells, requested_at, 2_000)
    assert cost(cell, tokens) == cost_by_library(
        provider_of_the_library, model, requested_at, tokens
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
    assert list_prices(unknown).fetchall() == []


def test_every_column_is_typed_even_without_a_row(list_prices, token_types):
    assert len(token_types) > 1
    for pairs in ([("acme", "gpt-4o")], [("openai", "gpt-4o")]):
        relation = list_prices(pairs)
        unit_price = "DECIMAL(18,12)"
        assert dict(zip(relation.columns, map(str, relation.types), strict=True)) == {
            "provider": "VARCHAR",
            "model": "VARCHAR",
            "valid_from": "TIMESTAMP",
            "valid_to": "TIMESTAMP",
            "daily_from": "TIME",
            "daily_to": "TIME",
            "input_tokens_above": "BIGINT",
            "input_tokens_up_to": "BIGINT",
            **{f"{name}_usd_per_million_tokens": unit_price for name in token_types},
            "request_usd": "DECIMAL(18,9)",
        }


def test_open_ends_are_sentinels_and_a_request_may_have_a_price(list_prices):
    (cell,) = fetch_cells(list_prices([("perplexity", "sonar")]))["perplexity", "sonar"]
    assert (cell["valid_from"], cell["valid_to"]) == (datetime(1970, 1, 1), datetime(9999, 12, 31))
    assert (cell["daily_from"], cell["daily_to"]) == ("00:00:00", "24:00:00")
    assert (cell["input_tokens_above"], cell["input_tokens_up_to"]) == (-1, LARGEST_BIGINT)
    assert cell["request_usd"] == Decimal("0.012")
