"""Requests: each once, with all that its deliveries tell, its session and its price."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from operator import attrgetter
from typing import Any
from zoneinfo import ZoneInfo

from recomputation.events import Event
from recomputation.identity import conflicts, order, requests_told
from recomputation.names import ai_service
from recomputation.prices import price
from recomputation.teams import team_of
from recomputation.tokens import FINER, Tokens, finer
from recomputation.values import MICROSECOND, Row, first
from recomputation.who import is_nobodys, is_person

UNKNOWN, NO_TEAM = "(unknown)", "(no team)"
TOLD = (
    *("response_id", "prompt_id", "user_id", "end_user_id", "team_id", "provider", "model"),
    *("status", "error_type", "reported_cost_usd", "requested_at", "first_token_at"),
    *("completed_at", "tokens", "web_searches", "service_tier", "region"),
)


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request, and what follows from what all its deliveries tell."""

    request_id: str
    source: str
    response_id: str | None
    prompt_id: str
    session_id: str | None
    is_session_id_doubtful: bool
    user_id: str | None
    user_name: str | None
    end_user_id: str | None
    team_id: str | None
    provider: str
    model: str
    status: str
    error_type: str | None
    is_cache_hit: bool
    tokens: Tokens | None
    finer: dict[str, int]
    is_part_cut: bool
    web_searches: int | None
    service_tier: str | None
    region: str | None
    is_sum_of_calls: bool
    reported_cost_usd: Decimal | None
    requested_at: datetime
    first_token_at: datetime | None
    completed_at: datetime | None
    conflicting_deliveries: int
    usage_date: date
    usage_hour: datetime
    ai_service: str
    session_id_source: str = "reported"
    has_price: bool = False
    price_status: str = ""
    cost_usd: Decimal | None = None

    @property
    def user(self) -> str:
        return self.user_id or UNKNOWN

    @property
    def team(self) -> str:
        return self.team_id or NO_TEAM

    @property
    def active_user(self) -> str | None:
        return self.user_id if is_person(self.user_id) else None

    @property
    def failed(self) -> bool:
        return self.status == "failure"

    @property
    def is_unpriced(self) -> bool:
        return self.price_status in ("no known price", "partly priced")

    @property
    def input_tokens(self) -> int | None:
        return sum(self.tokens[:3]) if self.tokens else None

    @property
    def output_tokens(self) -> int | None:
        return sum(self.tokens[3:]) if self.tokens else None

    @property
    def total_tokens(self) -> int | None:
        return sum(self.tokens) if self.tokens else None

    @property
    def response_time_ms(self) -> Decimal | None:
        return milliseconds(self.requested_at, self.completed_at)

    @property
    def time_to_first_token_ms(self) -> Decimal | None:
        return milliseconds(self.requested_at, self.first_token_at)

    @property
    def ended_at(self) -> datetime:
        return self.completed_at or self.requested_at


def milliseconds(start: datetime, end: datetime | None) -> Decimal | None:
    return None if end is None else Decimal((end - start) // MICROSECOND).scaleb(-3)


def local(at: datetime, zone: ZoneInfo) -> datetime:
    """The wall clock of the organisation."""
    return at.replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=None)


def merged(ranked: list[Event]) -> Row:
    """What the first delivery tells, and of what it does not, the next."""
    row = {name: first(*(getattr(event, name) for event in ranked)) for name in TOLD}
    # What one delivery tells to be nobody's is: a health check, or of somebody who is forgotten.
    nobodys = (event.user_id for event in ranked if is_nobodys(event.user_id))
    row["user_id"] = first(*nobodys, row["user_id"])
    # Some tell a name for an id that another knows by another name.
    named = first(*(event for event in ranked if event.user_name))
    row["user_name"] = named.user_name if named and named.user_id == row["user_id"] else None
    sessions = [event for event in ranked if event.session_id]
    beyond_doubt = [event for event in sessions if not event.is_session_id_doubtful]
    told_tokens = first(*(event for event in ranked if event.tokens is not None))
    told = {meter: first(*(event.finer.get(meter) for event in ranked)) for meter in FINER}
    parts, is_finer_cut = finer(row["tokens"], {m: n for m, n in told.items() if n is not None})
    is_cut = is_finer_cut or (told_tokens is not None and told_tokens.is_part_cut)
    return row | {
        "source": ranked[0].source,
        "is_cache_hit": ranked[0].is_cache_hit,
        "is_part_cut": is_cut,
        "finer": parts,
        "is_sum_of_calls": ranked[0].is_sum_of_calls,
        "session_id": first(*(event.session_id for event in beyond_doubt + sessions)),
        "is_session_id_doubtful": bool(sessions) and not beyond_doubt,
        "conflicting_deliveries": conflicts(ranked),
    }


def request(deliveries: list[Event], name: str, zone: ZoneInfo) -> Request:
    row = merged(deliveries)
    row["provider"] = row["provider"] or "unknown"
    row["error_type"] = (row["error_type"] or "unknown") if row["status"] == "failure" else None
    for column in ("first_token_at", "completed_at"):  # clocks may disagree
        if row[column] and row[column] < row["requested_at"]:
            row[column] = None
    here = local(row["requested_at"], zone)
    row["usage_date"] = here.date()
    row["usage_hour"] = here.replace(minute=0, second=0, microsecond=0)
    row["ai_service"] = ai_service(row["provider"], row["model"])
    row["team_id"] = first(team_of(row["user_id"], row["usage_date"]), row["team_id"])
    return Request(request_id=name, **row, **price(row))


def requests_of(events: list[Event], zone: ZoneInfo, idle_minutes: int) -> list[Request]:
    """Every request once."""
    by_name = defaultdict(list)
    for deliveries in requests_told(events):
        by_name[deliveries[0].call_id].append(deliveries)
    requests = []
    for name, bearers in by_name.items():
        # Two sources may use one id; the one that knows best bears it.
        for place, deliveries in enumerate(sorted(bearers, key=lambda one: order(one[0]))):
            full_name = f"{name}/{deliveries[0].source}" if place else name
            requests.append(request(deliveries, full_name, zone))
    return with_sessions(requests, timedelta(minutes=idle_minutes))


def with_sessions(requests: list[Request], idle: timedelta) -> list[Request]:
    """Derive the sessions that are not reported; each is named after its first request."""
    reported, underived, derived = [], [], []
    for row, part in by(requests, "session_id", "usage_date"):
        # Many requests do not share what was made up for one of them.
        made_up = len(part) == 1 and part[0].is_session_id_doubtful
        (underived if made_up or not row["session_id"] else reported).extend(part)
    for _, part in by(underived, "user_id", "usage_date"):
        session_id, before = "", datetime.min
        for one in sorted(part, key=attrgetter("requested_at", "request_id")):
            if one.user_id is None or one.requested_at - before > idle:
                session_id = f"derived: {one.request_id}"
            before = one.requested_at
            names = {"session_id": session_id, "session_id_source": "derived"}
            derived.append(replace(one, **names))
    return reported + derived


def by(rows: Iterable[Any], *names: str) -> Iterator[tuple[Row, list[Any]]]:
    """The rows in groups that have the same values of these attributes; `user` is the user_id."""
    ids = {"user": "user_id", "team": "team_id"}
    groups: dict[tuple, list[Any]] = defaultdict(list)
    for row in rows:
        groups[tuple(getattr(row, name) for name in names)].append(row)
    columns = [ids.get(name, name) for name in names]
    for key, part in groups.items():
        yield dict(zip(columns, key, strict=True)), part
