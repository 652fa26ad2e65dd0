"""The public tables, of requests that are counted once."""

from collections import Counter, defaultdict
from dataclasses import fields
from operator import attrgetter
from zoneinfo import ZoneInfo

from recomputation.events import Event, Rejected
from recomputation.growth import growth
from recomputation.measures import (
    costs,
    counts,
    distinct,
    known,
    mean,
    not_told,
    period,
    response_averages,
    responses,
    session_averages,
    session_measures,
    share,
    tokens,
    tokens_and_cost,
    total,
    total_cost,
    without_usage,
)
from recomputation.requests import Request, by, local
from recomputation.tokens import FINER, TOKEN_TYPES, meters
from recomputation.values import DAY, Row, first

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


def usage_by_team(requests: list[Request]) -> list[Row]:
    return [
        {
            **key,
            **counts(part),
            "active_users": distinct(part, "active_user"),
            "sessions": distinct(part, "session_id"),
            **tokens(part),
            "requests_without_usage": without_usage(part),
        }
        for key, part in by(requests, "usage_date", "team")
    ]


def usage_by_ai_user_and_team(requests: list[Request]) -> list[Row]:
    rows = []
    for key, part in by(requests, "usage_date", "ai_service", "user", "team"):
        answers = responses(part)
        timed = [r for r in answers if r.response_time_ms is not None]
        both = [r for r in timed if r.output_tokens is not None]
        first_tokens = known(answers, "time_to_first_token_ms")
        row = {
            **counts(part),
            "sessions": distinct(part, "session_id"),
            "responses": len(answers),
            **tokens_and_cost(part),
            "reported_cost_usd": total(part, "reported_cost_usd"),
            "total_response_time_ms": total(timed, "response_time_ms"),
            "timed_responses": len(timed),
            "total_time_to_first_token_ms": sum(first_tokens) if first_tokens else None,
            "responses_with_first_token": len(first_tokens),
            "response_output_tokens": total(answers, "output_tokens"),
            "responses_with_output_tokens": len(known(answers, "output_tokens")),
            "timed_output_tokens": total(both, "output_tokens"),
            "output_time_ms": total(both, "response_time_ms"),
        }
        rows.append(key | row)
    return rows


def growth_by_ai(requests: list[Request]) -> list[Row]:
    return growth(requests, "ai_service", "ai_service")


def growth_by_user(requests: list[Request]) -> list[Row]:
    return growth(requests, "user_id", "user")


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


def cost_by_team(requests: list[Request]) -> list[Row]:
    return [key | costs(part) for key, part in by(requests, "usage_date", "team")]


def price_differences(requests: list[Request]) -> list[Row]:
    rows = []
    of_model = {
        tuple(key.values()): p for key, p in by(requests, "usage_date", "provider", "model")
    }
    priced = [request for request in requests if request.price_status == "priced"]
    both = [request for request in priced if request.reported_cost_usd is not None]
    for key, part in by(both, "usage_date", "provider", "model"):
        cost, reported = total(part, "cost_usd"), total(part, "reported_cost_usd")
        row = {
            "requests": len(part),
            "sums_of_calls": sum(r.is_sum_of_calls for r in part),
            "list_cost_usd": cost,
            "reported_cost_usd": reported,
            "ratio": share(reported, cost),
            # Of all requests of the model, compared or not.
            **not_told(of_model[tuple(key.values())]),
        }
        rows.append(key | row)
    return rows


def time_of_use_by_user(requests: list[Request]) -> list[Row]:
    return [
        {
            "usage_date": key["usage_hour"].date(),
            "hour_of_day": key["usage_hour"].hour,
            "user_id": key["user_id"],
            "weekday": key["usage_hour"].isoweekday(),
            "prompts": distinct(part, "prompt_id"),
            "requests": len(part),
            "total_tokens": total(part, "total_tokens"),
            "cost_usd": total_cost(part),
            **not_told(part),
        }
        for key, part in by(requests, "usage_hour", "user")
    ]


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


def errors(requests: list[Request], *names: str) -> list[Row]:
    failed = [request for request in requests if request.failed]
    return [
        {
            **key,
            "failed_requests": len(part),
            "users_touched": distinct(part, "active_user"),
            "first_failed_at": min(r.requested_at for r in part),
            "last_failed_at": max(r.requested_at for r in part),
        }
        for key, part in by(failed, "usage_date", "ai_service", "error_type", *names)
    ]


def errors_by_type(requests: list[Request]) -> list[Row]:
    return errors(requests)


def errors_by_user(requests: list[Request]) -> list[Row]:
    rows = errors(requests, "user", "team")
    return [{name: row[name] for name in row if name != "users_touched"} for row in rows]


def sessions_by(requests: list[Request], name: str) -> list[Row]:
    """The parts of sessions with one AI, or by one user; each is of whoever asked first in it."""
    parts = []
    for key, part in by(requests, "session_id", name):
        asked_first = min(part, key=attrgetter("requested_at", "user", "team"))
        whose = {"user_id": asked_first.user, "team_id": asked_first.team}
        parts.append(session_measures(part) | whose | key)
    return parts


def grouped(rows: list[Row], *names: str) -> dict[tuple, list[Row]]:
    groups = defaultdict(list)
    for row in rows:
        groups[tuple(row[name] for name in names)].append(row)
    return groups


def session_averages_by_ai(requests: list[Request]) -> list[Row]:
    parts = grouped(sessions_by(requests, "ai_service"), "usage_date", "ai_service")
    return [
        {"usage_date": day, "ai_service": ai, **session_averages(sessions)}
        for (day, ai), sessions in parts.items()
    ]


def session_averages_by_user(requests: list[Request]) -> list[Row]:
    parts = grouped(sessions_by(requests, "user"), "usage_date", "user_id")
    return [
        {"usage_date": day, "user_id": user, **session_averages(sessions)}
        for (day, user), sessions in parts.items()
    ]


def response_times(requests: list[Request], *names: str) -> dict[tuple, list[Row]]:
    """What the buckets must hold."""
    return {
        tuple(key.values()): [{"response_time_ms": ms} for ms in times]
        for key, part in by(requests, "usage_date", "ai_service", *names)
        if (times := known(responses(part), "response_time_ms"))
    }


def session_lengths(requests: list[Request], *names: str) -> dict[tuple, list[Row]]:
    """What the buckets must hold."""
    return grouped(sessions_by(requests, "ai_service"), "usage_date", "ai_service", *names)


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
        usage_by_team,
        usage_by_ai_user_and_team,
        growth_by_ai,
        growth_by_user,
    ),
    "cost": (
        cost_by_day_and_ai,
        cost_by_day_and_user,
        cost_by_day_ai_and_user,
        cost_by_team,
        price_differences,
        time_of_use,
        time_of_use_by_user,
    ),
    "technical": (
        long_term_trends,
        response_averages_by_ai,
        response_averages_by_user,
        session_averages_by_ai,
        session_averages_by_user,
        errors_by_type,
        errors_by_user,
    ),
}
