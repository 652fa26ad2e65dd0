"""The public tables, of requests that are counted once."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import fields
from datetime import date
from decimal import Decimal
from math import floor
from operator import attrgetter
from typing import Any
from zoneinfo import ZoneInfo

from recomputation.events import Event, Rejected
from recomputation.requests import Request, by, local
from recomputation.tokens import FINER, TOKEN_TYPES, meters
from recomputation.values import DAY, MICROSECOND, Row, first

# --- Measures ---


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


# --- core ---


def fct_requests(requests: list[Request]) -> list[Row]:
    not_columns = {"user_name", "tokens", "finer", "is_session_id_doubtful"}
    computed = ("response_time_ms", "time_to_first_token_ms")
    computed += ("input_tokens", "output_tokens", "total_tokens")
    names = {*(field.name for field in fields(Request)), *computed} - not_columns
    by_type = [
        "output_tokens_without_reasoning" if name == "output" else f"{name}_tokens"
        for name in TOKEN_TYPES
    ]
    return [
        {name: getattr(r, name) for name in names}
        | dict(zip(by_type, r.tokens or [None] * len(by_type), strict=True))
        | {f"{meter}_tokens": r.finer.get(meter) for meter in FINER}
        for r in requests
    ]


def fct_sessions(requests: list[Request]) -> list[Row]:
    return [
        {
            "session_id": key["session_id"],
            "session_id_source": part[0].session_id_source,
            "user_id": min(part, key=attrgetter("requested_at", "user")).user,
            **session_measures(part),
        }
        for key, part in by(requests, "session_id")
    ]


def seen(requests: list[Request]) -> Row:
    times = [request.requested_at for request in requests]
    return {"first_seen_at": min(times), "last_seen_at": max(times)}


def dim_users(requests: list[Request]) -> list[Row]:
    newest_first = sorted(requests, key=attrgetter("requested_at", "request_id"), reverse=True)
    return [
        {
            **key,
            "user_name": first(*(r.user_name for r in part), key["user_id"]),
            "team_id": first(*(r.team_id for r in part)),
            **seen(part),
        }
        for key, part in by(newest_first, "user")
    ]


def dim_ai_services(requests: list[Request]) -> list[Row]:
    return [
        {
            **key,
            "providers": ", ".join(sorted({r.provider for r in part})),
            "models": len({(r.provider, r.model) for r in part}),
            **seen(part),
        }
        for key, part in by(requests, "ai_service")
    ]


def dim_models(requests: list[Request]) -> list[Row]:
    return [key | seen(part) for key, part in by(requests, "provider", "model", "ai_service")]


# --- usage ---


def usage_by_day(requests: list[Request]) -> list[Row]:
    return [
        {
            **key,
            **counts(part),
            "active_users": distinct(part, "active_user"),
            "sessions": distinct(part, "session_id"),
            **tokens(part),
            "requests_without_usage": without_usage(part),
        }
        for key, part in by(requests, "usage_date")
    ]


def usage_by_ai_service(requests: list[Request]) -> list[Row]:
    return [
        {
            **key,
            **counts(part),
            "active_users": distinct(part, "active_user"),
            "sessions": distinct(part, "session_id"),
            **tokens(part),
            "requests_without_usage": without_usage(part),
        }
        for key, part in by(requests, "usage_date", "ai_service")
    ]


def usage_by_user(requests: list[Request]) -> list[Row]:
    return [
        {
            **key,
            **counts(part),
            "ai_services_used": distinct(part, "ai_service"),
            "sessions": distinct(part, "session_id"),
            **tokens(part),
            "requests_without_usage": without_usage(part),
        }
        for key, part in by(requests, "usage_date", "user")
    ]


def token_usage_details(requests: list[Request]) -> list[Row]:
    rows = []
    for key, part in by(requests, "usage_date", "user", "ai_service", "model"):
        used = Counter[tuple[str, str]]()
        for r in part:
            used.update(meters(r.tokens, r.finer))
        rows += [
            key | {"token_type": token_type, "meter": meter, "tokens": number}
            for (token_type, meter), number in used.items()
            if number
        ]
    return rows


def tokens_by_day_and_ai(requests: list[Request]) -> list[Row]:
    return [key | tokens_and_cost(part) for key, part in by(requests, "usage_date", "ai_service")]


def tokens_by_ai(requests: list[Request]) -> list[Row]:
    everything = total(requests, "total_tokens")
    return [
        {
            **key,
            **tokens_and_cost(part),
            "share_of_tokens": share(total(part, "total_tokens"), everything),
        }
        for key, part in by(requests, "ai_service")
    ]


def tokens_by_user_and_ai(requests: list[Request]) -> list[Row]:
    return [key | tokens_and_cost(part) for key, part in by(requests, "user", "ai_service")]


def user_prompts(requests: list[Request]) -> list[Row]:
    return [
        {
            **key,
            "prompts": distinct(part, "prompt_id"),
            "requests": len(part),
            "responses": len(responses(part)),
        }
        for key, part in by(requests, "usage_date", "user")
    ]


def requests_over_time(requests: list[Request]) -> list[Row]:
    return [key | counts(part) for key, part in by(requests, "usage_hour", "ai_service")]


def total_prompts_by_ai(requests: list[Request]) -> list[Row]:
    """A prompt put to two AIs is in the share of both."""
    put = len({(r.ai_service, r.prompt_id) for r in requests})
    return [
        {
            **key,
            "prompts": distinct(part, "prompt_id"),
            "requests": len(part),
            "share_of_prompts": share(distinct(part, "prompt_id"), put),
        }
        for key, part in by(requests, "ai_service")
    ]


# --- cost ---


def cost_by_day_and_ai(requests: list[Request]) -> list[Row]:
    return [key | costs(part) for key, part in by(requests, "usage_date", "ai_service")]


def cost_by_day_and_user(requests: list[Request]) -> list[Row]:
    return [key | costs(part) for key, part in by(requests, "usage_date", "user")]


def cost_by_day_ai_and_user(requests: list[Request]) -> list[Row]:
    return [key | costs(part) for key, part in by(requests, "usage_date", "ai_service", "user")]


def time_of_use(requests: list[Request]) -> list[Row]:
    return [
        {
            "usage_date": key["usage_hour"].date(),
            "hour_of_day": key["usage_hour"].hour,
            "ai_service": key["ai_service"],
            "weekday": key["usage_hour"].isoweekday(),
            "prompts": distinct(part, "prompt_id"),
            "requests": len(part),
            "active_users": distinct(part, "active_user"),
            "total_tokens": total(part, "total_tokens"),
            "cost_usd": total_cost(part),
            **not_told(part),
        }
        for key, part in by(requests, "usage_hour", "ai_service")
    ]


# --- technical ---


def period(period_type: str, day: date) -> tuple[date, date]:
    """The first day of the week or month, and that of the next."""
    if period_type == "week":
        start = day - day.weekday() * DAY
        return start, start + 7 * DAY
    start = day.replace(day=1)
    return start, (start + 31 * DAY).replace(day=1)


def long_term_trends(requests: list[Request]) -> list[Row]:
    grown = ("prompts", "requests", "active_users", "total_tokens", "cost_usd")
    grown += ("avg_response_time_ms",)
    days = {request.usage_date for request in requests}
    rows = {}
    for period_type in ("week", "month"):
        parts = defaultdict(list)
        for request in requests:
            parts[*period(period_type, request.usage_date), request.ai_service].append(request)
        for (start, end, ai), part in parts.items():
            rows[period_type, end, ai] = {
                "period_type": period_type,
                "period_start": start,
                "ai_service": ai,
                "is_complete": min(days) <= start and end - DAY <= max(days),
                "prompts": distinct(part, "prompt_id"),
                "requests": len(part),
                "active_users": distinct(part, "active_user"),
                "total_tokens": total(part, "total_tokens"),
                "cost_usd": total_cost(part),
                **not_told(part),
                "avg_response_time_ms": mean(known(responses(part), "response_time_ms")),
            }
    for (period_type, _, ai), row in rows.items():
        before = rows.get((period_type, row["period_start"], ai))
        comparable = before and before["is_complete"] and row["is_complete"]
        for name in grown:
            ratio = share(row[name], before[name]) if comparable else None
            row[f"{name}_growth"] = None if ratio is None else ratio - 1
    return list(rows.values())


def response_averages_by_ai(requests: list[Request]) -> list[Row]:
    return [key | response_averages(part) for key, part in by(requests, "usage_date", "ai_service")]


def response_averages_by_user(requests: list[Request]) -> list[Row]:
    return [key | response_averages(part) for key, part in by(requests, "usage_date", "user")]


def sessions_by(requests: list[Request], name: str) -> dict[tuple[date, str], list[Row]]:
    """The parts of sessions with one AI, or by one user, by the day on which they began."""
    began = defaultdict(list)
    for _, part in by(requests, "session_id", name):
        session = session_measures(part)
        began[session["usage_date"], getattr(part[0], name)].append(session)
    return began


def session_averages_by_ai(requests: list[Request]) -> list[Row]:
    return [
        {"usage_date": day, "ai_service": ai, **session_averages(sessions)}
        for (day, ai), sessions in sessions_by(requests, "ai_service").items()
    ]


def session_averages_by_user(requests: list[Request]) -> list[Row]:
    return [
        {"usage_date": day, "user_id": user, **session_averages(sessions)}
        for (day, user), sessions in sessions_by(requests, "user").items()
    ]


def response_times(requests: list[Request]) -> dict[tuple[date, str], list[Decimal]]:
    """The values that the buckets must hold."""
    times = {
        (key["usage_date"], key["ai_service"]): known(responses(part), "response_time_ms")
        for key, part in by(requests, "usage_date", "ai_service")
    }
    return {key: values for key, values in times.items() if values}


def session_lengths(requests: list[Request]) -> dict[tuple[date, str], list[Decimal]]:
    """The values that the buckets must hold."""
    return {
        key: [session["session_length_s"] for session in sessions]
        for key, sessions in sessions_by(requests, "ai_service").items()
    }


def data_quality(
    read: list[Event | Rejected], requests: list[Request], zone: ZoneInfo
) -> list[Row]:
    """What became of every record, on its own day."""
    happened = defaultdict(list)
    for record in read:
        is_bad = isinstance(record, Rejected)
        at = (record.at or record.landed_at) if is_bad else record.requested_at
        happened[local(at, zone).date(), record.source].append(record)
    counted = {tuple(key.values()): part for key, part in by(requests, "usage_date", "source")}
    rows = []
    for (day, source), records in happened.items():
        events = [record for record in records if isinstance(record, Event)]
        part = counted.get((day, source), [])
        left_out = Counter(event.left_out_as for event in events if event.left_out_as)
        no_use = sum(event.is_client_view or event.left_out_as is not None for event in events)
        rows.append(
            {
                "usage_date": day,
                "source": source,
                "events_received": len(records),
                "events_accepted": len(events),
                "events_rejected": len(records) - len(events),
                "non_usage_events": no_use,
                "operations_left_out": ", ".join(
                    f"{name}: {number}" for name, number in sorted(left_out.items())
                )
                or None,
                "duplicates": len(events) - no_use - len(part),
                "late_events": sum(
                    local(event.landed_at, zone).date() > day + DAY for event in events
                ),
                "tokens_only_in_parents": sum(
                    {event.call_id: event.tokens_only_in_parents for event in events}.values()
                ),
                "requests": len(part),
                "unpriced_requests": sum(r.is_unpriced for r in part),
                "requests_without_usage": without_usage(part),
                "requests_without_user": sum(r.user_id is None for r in part),
                "requests_without_session": sum(r.session_id_source == "derived" for r in part),
                "conflicting_deliveries": sum(r.conflicting_deliveries for r in part),
                "parts_cut": sum(r.is_part_cut for r in part),
            }
        )
    return rows


TABLES = {
    "core": (fct_requests, fct_sessions, dim_users, dim_ai_services, dim_models),
    "usage": (
        usage_by_day,
        usage_by_ai_service,
        usage_by_user,
        token_usage_details,
        tokens_by_day_and_ai,
        tokens_by_ai,
        tokens_by_user_and_ai,
        user_prompts,
        requests_over_time,
        total_prompts_by_ai,
    ),
    "cost": (cost_by_day_and_ai, cost_by_day_and_user, cost_by_day_ai_and_user, time_of_use),
    "technical": (
        long_term_trends,
        response_averages_by_ai,
        response_averages_by_user,
        session_averages_by_ai,
        session_averages_by_user,
    ),
}
