"""What should be published after each event of a history.

The recomputation says what follows from all that was taken in. A history adds to it: what was taken
in stays though the file changes, days past retention are closed, people are forgotten or hidden,
and settings change. Nothing here is shared with the project either.
"""

import hashlib
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zlib import error as zlib_error
from zoneinfo import ZoneInfo

from backports import zstd
from recomputation import Recomputation, Request, Row, tabulate
from recomputation.events import Event, Rejected
from recomputation.landing import read, records
from recomputation.requests import local, requests_of
from recomputation.tables import fct_requests, fct_sessions
from recomputation.values import EPOCH, MICROSECOND
from recomputation.who import FORGOTTEN

QUALITY = "technical.data_quality"
KEY = "correct horse battery staple"
NOT_WHOLE = (EOFError, zlib_error, zstd.ZstdError)
# How many people there were cannot be told any more where two of them became one; nor a percentile.
BLURRED = ("active_users", "users_touched", "ai_services_used", "p50_", "p95_", "p99_")
# A source, and the time of one of its files: a history gives no two files the same.
State = tuple[str, datetime]


@dataclass(frozen=True)
class Settings:
    """Those that a history changes."""

    reporting_time_zone: str = "UTC"
    session_idle_minutes: int = 30
    gateway_addresses: str = ""
    hide_users: bool = False
    retention_days: int = 0

    def environment(self) -> dict[str, str]:
        settings = {f"AI_USAGE_{one.name.upper()}": getattr(self, one.name) for one in fields(self)}
        return {name: str(value) for name, value in settings.items()} | {"AI_USAGE_HIDING_KEY": KEY}


@dataclass
class Delivery:
    """A landed file that was taken in: when, which days were closed, who was forgotten since."""

    at: datetime
    closed_through: date
    forgotten: set[str] = field(default_factory=set)


class Oracle:
    """What was taken in so far, and what a warehouse should make of it."""

    def __init__(self, folder: Path) -> None:
        """Keep copies of what is taken in under `folder`."""
        self.folder, self.settings = folder, Settings()
        self.deliveries: dict[State, Delivery] = {}
        # Of days past retention their requests as they were published, whether users were hidden
        # then, and what was counted of their events.
        self.closed_through = date.min
        self.closed: list[tuple[Request, bool]] = []
        self.closed_quality: list[Row] = []
        # The same of the days that are not, as last expected.
        self.live: list[tuple[Request, bool]] = []
        self.live_quality: list[Row] = []

    # What happens.

    def take_in(self, landing: Path, now: datetime) -> None:
        """A night takes in what it does not know of what has landed, as far as it can be read."""
        for file in self.new_files(landing):
            state = state_of(file)
            # Those of times to come wait.
            if is_whole(file) and state[1] <= now.replace(tzinfo=None) + timedelta(hours=1):
                folder = self.folder / file.parent.name / str(len(self.deliveries))
                folder.mkdir(parents=True)
                shutil.copy2(file, folder)
                self.deliveries[state] = Delivery(now, self.closed_through)

    def new_files(self, landing: Path) -> list[Path]:
        """What has landed and was not taken in."""
        files = sorted(landing.glob("*/*"))
        return [file for file in files if state_of(file) not in self.deliveries]

    def close(self, through: date) -> None:
        """A night archives the days up to this one, as they were published."""
        self.closed += [one for one in self.live if one[0].usage_date <= through]
        self.closed_quality += [row for row in self.live_quality if row["usage_date"] <= through]
        self.closed_through = through

    def forget(self, user: str) -> None:
        """What was theirs is nobody's. What comes of them from now on is theirs again."""
        for delivery in self.deliveries.values():
            delivery.forgotten.add(user)
        names = user, hidden(user)
        self.closed = [
            (nobodys(request) if request.user_id == names[is_hidden] else request, is_hidden)
            for request, is_hidden in self.closed
        ]

    # What follows.

    def expected(self) -> Recomputation:
        """Every public table."""
        zone = ZoneInfo(self.settings.reporting_time_zone)
        # Of the last closed day events are kept a night longer: see docs/operations.md.
        told = [record for record in self.told() if self.day_of(record) >= self.closed_through]
        events = [record for record in told if isinstance(record, Event)]
        requests = requests_of(events, zone, self.settings.session_idle_minutes)
        is_hidden = self.settings.hide_users
        live = [request for request in requests if request.usage_date > self.closed_through]
        if is_hidden:
            live = list(map(shown_hidden, live))
        self.live = [(request, is_hidden) for request in live]
        closed = [
            shown_hidden(request) if is_hidden and not was_hidden else request
            for request, was_hidden in self.closed
        ]
        expected = tabulate(told, closed + live, zone)
        for table in (fct_requests, fct_sessions):
            expected.tables[f"core.{table.__name__}"] = table(live)
        rows = expected.tables[QUALITY]
        self.live_quality = [row for row in rows if row["usage_date"] > self.closed_through]
        expected.tables[QUALITY] = [*self.closed_quality, *self.live_quality]
        return expected

    def told(self) -> Iterable[Event | Rejected]:
        """All records, as they are kept."""
        gateways = self.settings.gateway_addresses.split(",")
        for record in read(self.folder, gateways, self.kept):
            delivery = self.deliveries[record.source, record.landed_at]
            if self.day_of(record) <= delivery.closed_through:
                # It came too late, and counts on the day on which it came.
                came = Rejected(record.source, record.landed_at, None)
                if self.day_of(came) <= delivery.closed_through:
                    came = replace(came, at=delivery.at.replace(tzinfo=None))
                yield came
            elif isinstance(record, Event) and record.user_id == FORGOTTEN:
                yield replace(record, user_name=None)
            else:
                yield record

    def kept(self, source: str, about: Row, record: Any) -> Any:
        """What is kept of a record as it landed: nobody who was forgotten since."""
        forgotten = self.deliveries[source, about["landed_at"]].forgotten
        return without(record, forgotten) if forgotten else record

    def day_of(self, record: Event | Rejected) -> date:
        at = record.requested_at if isinstance(record, Event) else record.at or record.landed_at
        return local(at, ZoneInfo(self.settings.reporting_time_zone)).date()

    def people(self) -> list[str]:
        """Whoever may be asked to be forgotten, by the names that senders tell."""
        users = {record.user_id for record in self.told() if isinstance(record, Event)}
        return sorted(user for user in users if user and not user.startswith("("))

    def is_blurred(self) -> bool:
        """Whether several people of closed days may have become one."""
        return any(request.user_id == FORGOTTEN for request, _ in self.closed)


def state_of(file: Path) -> State:
    return file.parent.name, EPOCH + file.stat().st_mtime_ns // 1000 * MICROSECOND


def is_whole(file: Path) -> bool:
    """Whether all of it can be read; what was cut within a line can."""
    try:
        list(records(file))
    except NOT_WHOLE:
        return False
    return True


def without(record: Any, people: set[str]) -> Any:
    """A record in which nobody bears these people's names."""
    if isinstance(record, dict):
        return {name: without(value, people) for name, value in record.items()}
    if isinstance(record, list):
        return [without(value, people) for value in record]
    return FORGOTTEN if isinstance(record, str) and record in people else record


def nobodys(request: Request) -> Request:
    return replace(request, user_id=FORGOTTEN, user_name=None)


def shown_hidden(request: Request) -> Request:
    """A request as it is published where users are hidden."""
    return replace(
        request,
        user_id=hidden(request.user_id),
        end_user_id=hidden(request.end_user_id),
        user_name=None,
    )


def hidden(user: str | None) -> str | None:
    """A user's keyed hash. Names in brackets are none, but for the service's in them."""
    if user is None:
        return None
    if user.startswith("(service) "):
        return f"(service) {hidden(user.removeprefix('(service) '))}"
    if user.startswith("("):
        return user
    inner = hashlib.sha256((KEY + user).encode()).hexdigest()
    return hashlib.sha256((KEY + inner).encode()).hexdigest()[:24]
