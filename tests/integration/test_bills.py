"""Bills computed by hand, from what sellers say themselves, are what the warehouse makes of them.

Where genai-prices has a tier's price only since October 2026, a request before is priced by a
factor and one after by the library: the bill is the same. Beside those below, published_bills.csv
has what sources publish for each kind of factor: tokens by meter, the price per million tokens at
that tier or region, and what they come to.
"""

import csv
import json
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from conftest import NO_DATA_TESTS, Warehouse
from genai_prices import Usage, calc_price
from genai_prices.data_snapshot import get_snapshot
from genai_prices.data_units import unit_data

Row = dict[str, Any]
BY_FACTOR, BY_LIBRARY = "2026-09-01T12:00:00Z", "2026-11-20T12:00:00Z"
SONNET, OPUS = ("anthropic", "claude-sonnet-4-5"), ("anthropic", "claude-opus-4-6")
# (why, provider and model, what was used, the bill in USD)
BILLS: list[tuple[str, tuple[str, str], Row, str]] = [
    (
        "Claude docs, Pricing: batches of Sonnet 4.5 cost 1.50 and 7.50 per million",
        SONNET,
        {"service_tier": "batch", "input_tokens": 100_000, "output_tokens": 20_000},
        "0.30",  # 0.15 + 0.15
    ),
    (
        "Claude docs, Pricing: the batch discount and those of caching multiply",
        SONNET,
        {"service_tier": "batch", "input_tokens": 100_000, "cache_read_tokens": 40_000}
        | {"cache_write_tokens": 50_000, "cache_write_1h_tokens": 30_000}
        | {"cache_write_5m_tokens": 20_000},
        "0.1485",  # 10,000 x 1.50 + 40,000 x 0.15 + 20,000 x 1.875 + 30,000 x 3.00
    ),
    (
        "Claude docs, Pricing: an hour in the cache of Sonnet 4.5 costs 6 per million",
        SONNET,
        {"input_tokens": 100_050, "cache_write_tokens": 100_000, "cache_write_1h_tokens": 100_000}
        | {"output_tokens": 200},
        "0.60315",  # 50 x 3 + 100,000 x 6 + 200 x 15
    ),
    (
        "The same cache write of which nobody tells how long it lives: five minutes, 3.75",
        SONNET,
        {"input_tokens": 100_050, "cache_write_tokens": 100_000, "output_tokens": 200},
        "0.37815",
    ),
    (
        "Claude docs, Pricing: a thousand web searches cost 10",
        SONNET,
        {"input_tokens": 9_548, "output_tokens": 528, "web_searches": 2},
        "0.056564",  # 9,548 x 3 + 528 x 15 + 2 x 0.01
    ),
    (
        "The fee of a search in a batch is not half",
        SONNET,
        {"service_tier": "batch", "input_tokens": 9_548, "output_tokens": 528, "web_searches": 2},
        "0.038282",
    ),
    (
        "Claude docs, Data residency: 1.1 x of Opus 4.6's 5 and 25 for the US alone",
        OPUS,
        {"region": "us", "input_tokens": 10_000, "output_tokens": 1_000},
        "0.0825",  # 0.055 + 0.0275
    ),
    (
        "A tier's and a region's factor multiply",
        OPUS,
        {"service_tier": "batch", "region": "us", "input_tokens": 10_000, "output_tokens": 1_000},
        "0.04125",
    ),
    (
        "Global routing costs nothing more",
        OPUS,
        {"region": "global", "input_tokens": 10_000, "output_tokens": 1_000},
        "0.075",
    ),
    (
        "OpenAI, Priority processing: GPT-5 at 2.50, cached 0.25, output 20",
        ("openai", "gpt-5"),
        {"service_tier": "priority", "input_tokens": 1_000_000, "cache_read_tokens": 200_000}
        | {"output_tokens": 100_000, "reasoning_tokens": 60_000},
        "4.05",  # 2 + 0.05 + 2
    ),
    (
        "OpenAI, Priority processing: GPT-4.1 at 3.50, cached 0.875, output 14",
        ("openai", "gpt-4.1"),
        {"service_tier": "priority", "input_tokens": 1_000_000, "cache_read_tokens": 200_000}
        | {"output_tokens": 100_000},
        "4.375",  # 2.80 + 0.175 + 1.40
    ),
    (
        "OpenAI, Flex processing at batch's rates: GPT-5 nano at 0.025 and 0.20",
        ("openai", "gpt-5-nano"),
        {"service_tier": "flex", "input_tokens": 2_000, "output_tokens": 500},
        "0.00015",
    ),
    (
        "OpenAI, Batch: GPT-4o mini at 0.075 and 0.30, and no discount on what is cached",
        ("openai", "gpt-4o-mini"),
        {"service_tier": "batch", "input_tokens": 20_000, "cache_read_tokens": 4_000}
        | {"output_tokens": 10_000},
        "0.0045",  # 16,000 x 0.075 + 4,000 x 0.075 + 10,000 x 0.30
    ),
    (
        "AWS, Amazon Nova Pro: priority at 1.40 and 5.60",
        ("aws", "amazon.nova-pro-v1:0"),
        {"service_tier": "priority", "input_tokens": 100_000, "output_tokens": 10_000},
        "0.196",
    ),
    (
        "AWS, Amazon Nova Pro: flex at 0.40 and 1.60",
        ("aws", "amazon.nova-pro-v1:0"),
        {"service_tier": "flex", "input_tokens": 100_000, "output_tokens": 10_000},
        "0.056",
    ),
    (
        "OpenAI's example of a turn of its realtime API: 4, cached 0.40, audio 32, out 16 and 64",
        ("openai", "gpt-realtime"),
        {"input_tokens": 132, "cache_read_tokens": 64, "input_audio_tokens": 13}
        | {"output_tokens": 121, "output_audio_tokens": 91},
        "0.0069656",  # 55 x 4 + 64 x 0.4 + 13 x 32 + 30 x 16 + 91 x 64
    ),
    (
        "Gemini API, Pricing: 2.5 Flash at 0.30, audio 1.00, output 2.50",
        ("google", "gemini-2.5-flash"),
        {"input_tokens": 10_000, "input_audio_tokens": 8_000, "output_tokens": 1_000},
        "0.0111",  # 0.0006 + 0.008 + 0.0025
    ),
    (
        "Gemini API, Pricing: what 2.5 Flash Image draws costs 30",
        ("google", "gemini-2.5-flash-image"),
        {"input_tokens": 100, "output_tokens": 1_300, "output_image_tokens": 1_290},
        "0.038755",  # 0.00003 + 1,290 x 30 + 10 x 2.5
    ),
]
# What is not known is told, and never free.
UNKNOWN: list[tuple[str, tuple[str, str], Row, str]] = [
    ("a tier that nobody knows", SONNET, {"service_tier": "overnight"}, "no known price"),
    (
        "no price of a search",
        ("mistral", "mistral-large-latest"),
        {"web_searches": 1},
        "partly priced",
    ),
]


# A batch's bill tells only a sum; each of its calls may have been small, so the lowest tier counts:
# of Sonnet 4.5 in a batch 1.50 and 7.50, not the 3.00 and 11.25 of more than 200,000 tokens.
BATCH = {
    "request_id": "batch_1_batch_cost",
    "call_type": "aretrieve_batch",
    "startTime": "2026-11-20 16:00:00.000000+00:00",
    "endTime": "2026-11-20 16:00:02.000000+00:00",
    "model": "claude-sonnet-4-5",
    "custom_llm_provider": "anthropic",
    "status": "success",
    "prompt_tokens": 400_000,
    "completion_tokens": 10_000,
    "total_tokens": 410_000,
    "spend": 0.675,
    "metadata": json.dumps(
        {
            "usage_object": {
                "prompt_tokens": 400_000,
                "completion_tokens": 10_000,
                "total_tokens": 410_000,
            }
        }
    ),
}
SELLERS = ("anthropic", "aws", "azure", "deepseek", "google", "groq", "mistral", "openai", "x-ai")
FINER = {
    "input_audio": "input",
    "input_image": "input",
    "input_video": "input",
    "cache_audio_read": "cache_read",
    "cache_write_5m": "cache_write",
    "cache_write_1h": "cache_write",
    "output_audio": "output",
    "output_image": "output",
    "output_video": "output",
}


def contexts(model: Any, at: datetime) -> list[dict[str, str]]:
    """No context, and those in which the library knows other prices at this time."""
    variants = [
        v.when for v in model.price_variants or () if not v.constraint or v.constraint.active(at)
    ]
    return [{}, *(when for when in variants if len(when) == 1 and "default" not in when.values())]


def tier_of(context: dict[str, str]) -> str | None:
    """What a gateway would call it."""
    return next(iter(context.values()), None)


def moments(model: Any, chance: random.Random) -> list[datetime]:
    """Some time of this year, and either side of each day on which a price changes."""
    last = datetime(2026, 11, 20, tzinfo=UTC)
    conditions = model.prices if isinstance(model.prices, list) else []
    constraints = [one.constraint for one in [*conditions, *(model.price_variants or ())]]
    days = {start for one in constraints if (start := getattr(one, "start_date", None))}
    changes = [datetime(*day.timetuple()[:3], tzinfo=UTC) for day in sorted(days)]
    times = [at + by for at in changes for by in (timedelta(0), timedelta(microseconds=-1))]
    times.append(last - timedelta(hours=chance.uniform(0, 8_000)))
    return [at for at in times if datetime(2020, 1, 1, tzinfo=UTC) < at <= last]


def split(chance: random.Random, number: int, names: list[str]) -> dict[str, int]:
    """Parts of a number, whose sum is no more than that."""
    parts = {}
    for name in names:
        parts[name] = chance.choice((0, chance.randint(0, number)))
        number -= parts[name]
    return parts


def used_at_random(chance: random.Random, prices: Any) -> Row:
    """Usage of every meter, disjoint; outputs and searches only where they are priced."""
    inputs = chance.choice((0, 1, 1_000, 199_999, 200_001, 272_001, chance.randint(0, 1_500_000)))
    outputs = chance.randint(0, 100_000) if prices.output_mtok is not None else 0
    used = split(chance, inputs, ["cache_read", "cache_write"])
    used |= split(chance, outputs, ["reasoning"])
    wholes = {
        "input": inputs - used["cache_read"] - used["cache_write"],
        "cache_read": used["cache_read"],
        "cache_write": used["cache_write"],
        "output": outputs - used["reasoning"],
    }
    for whole, number in wholes.items():
        used |= split(chance, number, [meter for meter, of in FINER.items() if of == whole])
    used |= {"input": inputs, "output": outputs}
    counts = {f"{name}_tokens": number for name, number in used.items()}
    searches = chance.choice((0, 1, 7)) if prices.web_searches_kcount is not None else 0
    return counts | {"web_searches": searches}


def requests_at_random() -> list[tuple[tuple[str, str], str, Row, Decimal]]:
    """Provider and model, time, usage and tier, and what the library asks for it."""
    chance, requests = random.Random(16), []
    for provider in get_snapshot().providers:
        if provider.id not in SELLERS:
            continue
        for model in provider.models:
            for at in moments(model, chance):
                for context in contexts(model, at):
                    prices = model.get_prices(at, context)
                    is_named = provider.find_model(model.id) is model and "/" not in model.id
                    if prices.input_mtok is None or not is_named:
                        continue
                    used = used_at_random(chance, prices)
                    # The library's counts overlap, and it guesses what it is not told.
                    usage = {key: 0 for key in unit_data if key != "requests"} | used
                    usage["output_reasoning_tokens"] = usage.pop("reasoning_tokens")
                    usage["input_audio_tokens"] += used["cache_audio_read_tokens"]
                    price = calc_price(
                        Usage(**usage),
                        model.id,
                        provider_id=provider.id,
                        genai_request_timestamp=at,
                        price_context=context,
                    )
                    told = used | {"service_tier": tier_of(context)}
                    told["input_audio_tokens"] = usage["input_audio_tokens"]
                    of = provider.id, model.id
                    requests.append((of, at.isoformat(), told, price.total_price))
    return requests


def published() -> list[Row]:
    """The published bills, each with its usage as the general format has it: parts in wholes."""
    with (Path(__file__).parent / "published_bills.csv").open(newline="") as file:
        bills = list(csv.DictReader(file))
    for bill in bills:
        counts = dict(part.split() for part in bill["tokens"].split(", "))
        used = {f"{meter}_tokens": int(number) for meter, number in counts.items()}
        inputs = [n for meter, n in used.items() if not meter.startswith(("output", "reasoning"))]
        writes = [n for meter, n in used.items() if meter.startswith("cache_write")]
        used |= {"input_tokens": sum(inputs), "cache_write_tokens": sum(writes)}
        used.pop("input_uncached_tokens")
        named = {name: bill[name] for name in ("service_tier", "region") if bill[name]}
        bill |= {"of": (bill["provider"], bill["model"]), "used": used | named}
    return bills


def record(name: str, model: tuple[str, str], at: str, used: Row) -> str:
    least = {"request_id": name, "requested_at": at, "provider": model[0], "model": model[1]}
    return json.dumps({"input_tokens": 0, "output_tokens": 0} | least | used)


@pytest.fixture(scope="module")
def costs(tmp_path_factory: pytest.TempPathFactory, dbt_target: Any) -> Callable[[str], tuple]:
    """A function from a request's id to its cost and status: all land together."""
    home = tmp_path_factory.mktemp("bills") / "home"
    lines = [
        record(f"{number} {at}", model, at, used)
        for number, (_, model, used, _) in enumerate(BILLS)
        for at in (BY_FACTOR, BY_LIBRARY)
    ]
    some = {"input_tokens": 1_000, "output_tokens": 100}
    lines += [record(why, model, BY_LIBRARY, some | used) for why, model, used, _ in UNKNOWN]
    lines += [
        record(f"published {i}", bill["of"], f"{bill['day']}T12:00:00Z", bill["used"])
        for i, bill in enumerate(published())
    ]
    lines += [record(f"random {i}", *each[:3]) for i, each in enumerate(requests_at_random())]
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("AI_USAGE_HOME", str(home))
        warehouse = Warehouse(home, dbt_target)
        warehouse.write("gateway/bills.jsonl", "\n".join(lines))
        warehouse.write("litellm/batch.jsonl", json.dumps(BATCH))
        warehouse.ingest()
        warehouse.build("--select", "+fct_requests", *NO_DATA_TESTS)
        found = warehouse.query(
            "select request_id, cost_usd, price_status, is_sum_of_calls from core.fct_requests"
        )
    by_id = {row[0]: row[1:] for row in found}
    assert len(by_id) == len(lines) + 1
    return by_id.__getitem__


@pytest.mark.parametrize("at", [BY_FACTOR, BY_LIBRARY], ids=["by_factor", "by_library"])
@pytest.mark.parametrize("number", range(len(BILLS)), ids=[why for why, *_ in BILLS])
def test_a_bill_computed_by_hand(costs: Callable[[str], tuple], number: int, at: str) -> None:
    assert costs(f"{number} {at}") == (Decimal(BILLS[number][-1]), "priced", False)


@pytest.mark.parametrize("i", range(len(published())))
def test_a_published_bill(costs: Callable[[str], tuple], i: int) -> None:
    bill = published()[i]
    cost, status, _ = costs(f"published {i}")
    assert status == "priced", bill
    # A factor such as 20/11 has 12 decimals.
    assert abs(cost - Decimal(bill["bill_usd"])) < Decimal("1e-9"), bill


@pytest.mark.parametrize(("why", "status"), [(why, status) for why, _, _, status in UNKNOWN])
def test_what_has_no_price_is_not_free(
    costs: Callable[[str], tuple], why: str, status: str
) -> None:
    assert costs(why) == (None, status, False)


def test_a_sum_of_calls_is_priced_at_the_lowest_tier(costs: Callable[[str], tuple]) -> None:
    assert costs("batch_1_batch_cost") == (Decimal("0.675"), "priced", True)


def test_every_meter_tier_and_dated_price_is_the_librarys(costs: Callable[[str], tuple]) -> None:
    requests, wrong = requests_at_random(), []
    assert len(requests) > 500
    assert len({used["service_tier"] for _, _, used, _ in requests}) > 3
    for i, (*request, expected) in enumerate(requests):
        cost, status, _ = costs(f"random {i}")
        if status != "priced" or abs(cost - expected) > Decimal("1e-9"):
            wrong.append((*request, expected, cost, status))
    assert not wrong, f"{len(wrong)} of {len(requests)}, such as {wrong[:5]}"
