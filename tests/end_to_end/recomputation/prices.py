"""What genai-prices asks for a request, by meter, and what a tier or a region makes of it."""

import csv
from datetime import UTC, date
from decimal import ROUND_HALF_UP, Decimal
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from genai_prices import Usage, calc_price
from genai_prices.data_snapshot import get_snapshot
from genai_prices.data_units import unit_data

from recomputation.tokens import FINER, OUTPUT_TYPES, TOKEN_TYPES, meters
from recomputation.values import Row

FACTORS = Path(__file__).resolve().parents[3] / "seeds/price_factors.csv"
# In which of the library's contexts a tier may have prices of its own.
CONTEXTS: dict[str, list[dict[str, str]]] = {
    "batch": [{"processing": "batch"}],
    "fast": [{"speed": "fast"}, {"service_tier": "fast"}],
}
# What the library calls a meter where it is not `<meter>_tokens`, and what a finer one is part of.
KEYS = {"input_uncached": (), "output": (), "reasoning": ("output_reasoning_tokens",)}
KEYS |= {"cache_audio_read": ("cache_audio_read_tokens", "cache_read_tokens", "input_audio_tokens")}
KEYS |= {name: (f"{name}_tokens", "cache_write_tokens") for name in FINER if "write" in name}
ALL_METERS = (*TOKEN_TYPES, *FINER)
MANY = 10**6  # the price of so many tokens is exact


class Price(NamedTuple):
    """`cost` is None where it is not known."""

    has_price: bool
    status: str
    cost: Decimal | None


NO_PRICE = Price(False, "no known price", None)


def usage_of(by_meter: dict[tuple[str, str], int], web_searches: int = 0) -> Usage:
    """The library's counts: a part counts under its own key and under all that it is part of."""
    # Told as zero, so that the library guesses none.
    usage = {key: 0 for key in unit_data if key != "requests"} | {"web_searches": web_searches}
    for (token_type, meter), number in by_meter.items():
        side = "output_tokens" if token_type in OUTPUT_TYPES else "input_tokens"
        for key in (side, *KEYS.get(meter, (f"{meter}_tokens",))):
            usage[key] += number
    return Usage(**usage)


@cache
def rules() -> list[Row]:
    with FACTORS.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def factor(row: Row, meter: str, column: str, value: str | None) -> Decimal | None:
    """The factor of the longest patterns of model, then of meter; None without any."""
    on = row["requested_at"].date()
    fitting = [
        rule
        for rule in rules()
        if value
        and fnmatchcase(value, rule[column])
        and rule["provider"] == row["provider"]
        and fnmatchcase(row["model"], rule["model_pattern"])
        and fnmatchcase(meter, rule["meter_pattern"])
        and date.fromisoformat(rule["valid_from"] or "0001-01-01") <= on
        and on < date.fromisoformat(rule["valid_to"] or "9999-12-31")
    ]
    if not fitting:
        return None
    best = max(fitting, key=lambda rule: (len(rule["model_pattern"]), len(rule["meter_pattern"])))
    return Decimal(best["factor"])


def context_of(row: Row, known: Any, at: Any) -> dict[str, str] | None:
    """The context in which the library itself knows prices of the request's tier."""
    tier = row["service_tier"]
    contexts = CONTEXTS.get(tier, [{"service_tier": tier}])
    for variant in known.price_variants or ():
        is_active = variant.constraint is None or variant.constraint.active(at)
        if is_active and variant.when in contexts:
            return variant.when
    return None


def list_price(row: Row) -> Price:
    """The library's, times the factors of a tier or region that it does not carry itself."""
    provider, model, tier = row["provider"], row["model"], row["service_tier"] or "standard"
    if provider == "openrouter" and model.endswith(":free"):
        return Price(True, "priced", Decimal(0))
    try:
        _, known = get_snapshot().find_provider_model(model, None, provider, None)
    except LookupError:
        return NO_PRICE
    at = row["requested_at"].replace(tzinfo=UTC)
    context = context_of(row, known, at)
    times = {
        meter: [
            None if context else factor(row, meter, "service_tier", tier),
            factor(row, meter, "region", row["region"]),
        ]
        for meter in ALL_METERS
    }
    prices = known.get_prices(at, context)
    has_tier = tier == "standard" or context or any(of_tier for of_tier, _ in times.values())
    if not has_tier or (prices.input_mtok is None and prices.output_mtok is None):
        return NO_PRICE

    # The library has no price of a part without one of its whole.
    by_meter, searches = meters(row["tokens"], row["finer"]), row["web_searches"] or 0
    tokens = dict(zip(TOKEN_TYPES, row["tokens"] or (0,) * 5, strict=True))
    outputs = sum(tokens[name] for name in OUTPUT_TYPES)
    inputs = sum(tokens.values()) - outputs
    if (
        (inputs and prices.input_mtok is None)
        or (outputs and prices.output_mtok is None)
        or (searches and prices.web_searches_kcount is None)
    ):
        return Price(True, "partly priced", None)

    def ask(of: dict[tuple[str, str], int], web_searches: int = 0) -> Any:
        return calc_price(
            usage_of(of, web_searches),
            model,
            provider_id=provider,
            genai_request_timestamp=at,
            price_context=context,
        )

    if not row["is_sum_of_calls"] and not any(map(any, times.values())):
        return Price(True, "priced", rounded(ask(by_meter, searches).total_price))
    # Each meter alone, of a request of this size; the calls of a sum may all have been small.
    size = min(inputs, 1) if row["is_sum_of_calls"] else inputs
    plain = {("input_uncached", "input_uncached"): size}
    of_none = ask(plain, searches)
    cost = of_none.total_price - of_none.input_price  # what a call and a search cost
    for (token_type, meter), number in by_meter.items():
        if not number:
            continue
        if token_type in OUTPUT_TYPES:
            price = ask(plain | {(token_type, meter): MANY}).output_price / MANY
        else:
            price = ask({(token_type, meter): size}).input_price / size
        of_tier, of_region = times[meter]
        cost += number * price * (of_tier or 1) * (of_region or 1)
    return Price(True, "priced", rounded(cost))


def rounded(cost: Decimal) -> Decimal:
    """Once, at the request."""
    return cost.quantize(Decimal("1e-12"), ROUND_HALF_UP)


def price(row: Row) -> Row:
    """None, and never 0, where no price is known or nothing is told of what was used."""
    failed, told = row["status"] == "failure", row["tokens"]
    came_to_nothing = not sum(told) if told else row["first_token_at"] is None
    has_price, status, cost = list_price(row)
    if row["is_cache_hit"] or (failed and came_to_nothing):
        status, cost = "free", Decimal(0)
    elif told is None:
        status, cost = "no usage reported", None
    return {"has_price": has_price, "price_status": status, "cost_usd": cost}
