"""What reports count and take means of, of some requests or sessions."""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from math import floor
from typing import Any

from recomputation.requests import Request
from recomputation.values import DAY, MICROSECOND, Row


def distinct(rows: Iterable[Any], name: str) -> int:
    """How many different values are known."""
    return len({getattr(row, name) for row in rows} - {None})


def known(rows: Iterable[Any], name: str) -> list[Any]:
    return [value for row in rows if (value := getattr(row, name)) is not None]


def total(rows: Iterable[Any], name: str) -> Any:
    """The sum of what is known; None where nothing is."""
    values = known(rows, name)
    return sum(values) if values else None


def share(part: Any, whole: Any) -> float | None:
    """part / whole; None where there is no whole."""
    return float(part) / float(whole) if whole and part is not None else None


def mean(values: list[Any]) -> float | None:
    return share(sum(values), len(values))


def percentile(values: list[Any], percent: int) -> float | None:
    """Between the two values next to it, linearly."""
    if not values:
        return None
    values = sorted(map(float, values))
    below = floor(position := (len(values) - 1) * percent / 100)
    above = min(below + 1, len(values) - 1)
    return values[below] + (values[above] - values[below]) * (position - below)


def responses(requests: Iterable[Request]) -> list[Request]:
    return [request for request in requests if not request.failed]


def counts(requests: list[Request]) -> Row:
    return {
        "prompts": distinct(requests, "prompt_id"),
        "requests": len(requests),
        "failed_requests": sum(request.failed for request in requests),
    }


def tokens(requests: list[Request]) -> Row:
    names = ("input_tokens", "output_tokens", "total_tokens")
    of_each = {name: total(requests, name) for name in names}
    return of_each


def without_usage(requests: list[Request]) -> int:
    return sum(request.price_status == "no usage reported" for request in requests)


def total_cost(requests: list[Request]) -> Decimal | None:
    """None where nothing but free requests has a known cost."""
    cost = total(requests, "cost_usd")
    is_known = not without_usage(requests) and not any(r.is_unpriced for r in requests)
    return cost if cost or is_known else None


def not_told(requests: list[Request]) -> Row:
    """What sums go without: usage that was not told; and what has no price, or but a part."""
    those = [request for request in requests if request.is_unpriced]
    return {
        "requests_without_usage": without_usage(requests),
        "unpriced_requests": len(those),
        "unpriced_tokens": sum(request.total_tokens for request in those),
    }


def tokens_and_cost(requests: list[Request]) -> Row:
    cost = {"requests": len(requests), "cost_usd": total_cost(requests)}
    return tokens(requests) | cost | not_told(requests)


def costs(requests: list[Request]) -> Row:
    all_tokens, cost = total(requests, "total_tokens"), total_cost(requests)
    without = not_told(requests)
    millions = Decimal((all_tokens or 0) - without["unpriced_tokens"]).scaleb(-6)
    return {
        "requests": len(requests),
        "total_tokens": all_tokens,
        "cost_usd": cost,
        "reported_cost_usd": total(requests, "reported_cost_usd"),
        **without,
        "cost_per_million_tokens_usd": cost / millions if millions and cost is not None else None,
    }


def response_averages(requests: list[Request]) -> Row:
    answers = responses(requests)
    times = known(answers, "response_time_ms")
    timed = [r for r in answers if None not in (r.response_time_ms, r.output_tokens)]
    return {
        "responses": len(answers),
        "avg_output_tokens": mean(known(answers, "output_tokens")),
        "avg_response_time_ms": mean(times),
        **{f"p{n}_response_time_ms": percentile(times, n) for n in (50, 95, 99)},
        "avg_time_to_first_token_ms": mean(known(answers, "time_to_first_token_ms")),
        "output_tokens_per_second": share(
            total(timed, "output_tokens"), sum(known(timed, "response_time_ms")) / 1000
        ),
        "requests_without_usage": without_usage(requests),
        "error_rate": share(len(requests) - len(answers), len(requests)),
    }


def session_measures(requests: list[Request]) -> Row:
    """A session, or a part of it."""
    began, ended = min(r.requested_at for r in requests), max(r.ended_at for r in requests)
    return {
        "usage_date": min(r.usage_date for r in requests),
        "started_at": began,
        "ended_at": ended,
        "session_length_s": Decimal((ended - began) // MICROSECOND).scaleb(-6),
        "prompts": distinct(requests, "prompt_id"),
        "requests": len(requests),
        "responses": len(responses(requests)),
        "total_tokens": total(requests, "total_tokens"),
        "cost_usd": total_cost(requests),
        **not_told(requests),
    }


def session_averages(sessions: list[Row]) -> Row:
    lengths = [session["session_length_s"] for session in sessions]
    return {
        "sessions": len(sessions),
        "avg_session_length_s": mean(lengths),
        "p50_session_length_s": percentile(lengths, 50),
        "p95_session_length_s": percentile(lengths, 95),
        "avg_prompts_per_session": mean([session["prompts"] for session in sessions]),
        "avg_responses_per_session": mean([session["responses"] for session in sessions]),
    }


def period(period_type: str, day: date) -> tuple[date, date]:
    """The first day of the week or month, and that of the next."""
    if period_type == "week":
        start = day - day.weekday() * DAY
        return start, start + 7 * DAY
    start = day.replace(day=1)
    return start, (start + 31 * DAY).replace(day=1)
