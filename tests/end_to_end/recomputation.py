"""Every public table, computed a second time from the landing files alone.

Plain Python on purpose: nothing here is shared with ingestion or the models, no DuckDB, no SQL.
The contract says what each measure means; this says it once more, request by request. Prices come
from genai-prices, asked about each request. Tables are lists of rows, and rows are dicts.

Left out, since no test lands them: Parquet, price overrides.
"""

import csv
import gzip
import io
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields, replace
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fnmatch import fnmatchcase
from functools import cache
from math import floor
from operator import attrgetter
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from backports import zstd
from genai_prices import Usage, calc_price

AI_SERVICES = Path(__file__).resolve().parents[2] / "seeds/ai_services.csv"
EPOCH = datetime(1970, 1, 1)
MICROSECOND, MILLISECOND, DAY = (
    timedelta(microseconds=1),
    timedelta(milliseconds=1),
    timedelta(days=1),
)
TOKEN_TYPES = ("input_uncached", "cache_read", "cache_write", "output", "reasoning")
PROVIDERS = {"gcp.gemini": "google", "gemini": "google", "vertex_ai": "google"}
POLLS = ("aretrieve_batch", "retrieve_batch", "aget_responses", "get_responses")
CALLS = ("chat", "text_completion", "generate_content", "embeddings")
UNKNOWN = "(unknown)"
Row = dict[str, Any]


@dataclass(frozen=True)
class Event:
    """A landed record that could be read; None is what it does not tell. Times are naive UTC."""

    source: str
    landed_at: datetime
    request_id: str
    prompt_id: str
    session_id: str | None
    user_id: str | None
    user_name: str | None
    team_id: str | None
    provider: str | None
    model: str
    status: str
    error_type: str | None
    is_cache_hit: bool
    tokens: tuple[int, int, int, int, int] | None  # in the order of TOKEN_TYPES
    reported_cost_usd: Decimal | None
    requested_at: datetime
    first_token_at: datetime | None
    completed_at: datetime | None
    is_use: bool = True  # a call to an AI, not a poll or a span about something else
    is_client_view: bool = False
    is_session_id_doubtful: bool = False  # it may have been made up for this request alone


@dataclass(frozen=True)
class Rejected:
    """A landed record that is bad; `at` is None where it has no readable time."""

    source: str
    landed_at: datetime
    at: datetime | None


@dataclass(frozen=True)
class Request(Event):
    """One request: what all its events tell, and what follows from that."""

    session_id_source: str = "reported"
    usage_date: date = date.min
    usage_hour: datetime = datetime.min
    ai_service: str = ""
    has_price: bool = False
    cost_usd: Decimal | None = None

    @property
    def user(self) -> str:
        return self.user_id or UNKNOWN

    @property
    def failed(self) -> bool:
        return self.status == "failure"

    @property
    def input_tokens(self) -> int:
        return sum(self.tokens[:3])

    @property
    def output_tokens(self) -> int:
        return sum(self.tokens[3:])

    @property
    def total_tokens(self) -> int:
        return sum(self.tokens)

    @property
    def response_time_ms(self) -> Decimal | None:
        return milliseconds(self.requested_at, self.completed_at)

    @property
    def time_to_first_token_ms(self) -> Decimal | None:
        return milliseconds(self.requested_at, self.first_token_at)

    @property
    def ended_at(self) -> datetime:
        return self.completed_at or self.requested_at


# --- Reading the landing files ---


def text(value: Any) -> str | None:
    """A value as text; blank is the same as missing."""
    return (str(value).strip() or None) if value is not None else None


def flag(value: Any) -> bool:
    return str(value).lower() == "true"


def count(value: Any) -> int | None:
    """A number of tokens. A negative one is an error."""
    if text(value) is None:
        return None
    number = Decimal(str(value))
    if number < 0 or number != int(number):
        raise ValueError(value)
    return int(number)


def money(value: Any) -> Decimal | None:
    if text(value) is None:
        return None
    return Decimal(str(value)).quantize(Decimal("1e-12"), ROUND_HALF_UP)


def moment(value: Any) -> datetime | None:
    """A time in ISO 8601, UTC if it has no zone, or in seconds since 1970."""
    if text(value) is None:
        return None
    try:
        seconds = Decimal(str(value)).quantize(Decimal("1e-6"), ROUND_HALF_UP)
    except ArithmeticError:
        at = datetime.fromisoformat(value)
        return at.astimezone(UTC).replace(tzinfo=None) if at.tzinfo else at
    return EPOCH + int(seconds * 10**6) * MICROSECOND


def after(start: datetime, wait_ms: Any) -> datetime | None:
    """The time so many milliseconds later."""
    return None if text(wait_ms) is None else start + round(float(wait_ms) * 1000) * MICROSECOND


def first(*values: Any) -> Any:
    """The first value that is known."""
    return next((value for value in values if value is not None), None)


def required(value: Any) -> Any:
    if value is None:
        raise ValueError("something that must be there is missing")
    return value


def provider_name(name: str | None) -> str | None:
    return PROVIDERS.get(name.lower(), name.lower()) if name else None


def disjoint(
    inputs: int | None,
    read: int | None,
    write: int | None,
    outputs: int | None,
    thought: int | None,
) -> tuple[int, int, int, int, int] | None:
    """The five token types, or None without usage. Cache and reasoning are within the totals."""
    if inputs is None and outputs is None:
        return None
    read, write, thought = read or 0, write or 0, thought or 0
    return (inputs or 0) - read - write, read, write, (outputs or 0) - thought, thought


def litellm_event(record: Row, landed_at: datetime) -> Event:
    """One StandardLoggingPayload, or one row of LiteLLM_SpendLogs."""
    metadata = record.get("metadata") or {}
    if isinstance(metadata, str):
        metadata = json.loads(metadata)
    usage = metadata.get("usage_object") or {}
    read_details = usage.get("prompt_tokens_details") or {}
    error = record.get("error_information") or metadata.get("error_information") or {}
    start, end = required(moment(record.get("startTime"))), moment(record.get("endTime"))
    first_token = moment(record.get("completionStartTime"))
    name, call = text(record.get("id")), text(record.get("litellm_call_id"))
    is_spend_log = name is None
    name = name or required(text(record.get("request_id")))
    provider, model = text(record.get("custom_llm_provider")), required(text(record.get("model")))
    hit = flag(record.get("cache_hit"))
    # A SpendLogs row may call a failure a success; but whatever answered told its usage.
    failed = record["status"] == "failure" or (is_spend_log and "total_tokens" not in usage)
    return Event(
        source="litellm",
        landed_at=landed_at,
        request_id=f"{name}/{(start - EPOCH) // MILLISECOND}" if failed else call if hit else name,
        prompt_id=call or name,
        session_id=first(
            None
            if is_spend_log
            else text((metadata.get("requester_metadata") or {}).get("session_id")),
            text(record.get("session_id")),
        ),
        is_session_id_doubtful=is_spend_log,
        user_id=first(
            text(metadata.get("user_api_key_user_id")),
            text(record.get("user")),
            text(record.get("end_user")),
        ),
        user_name=None,
        team_id=first(text(metadata.get("user_api_key_team_id")), text(record.get("team_id"))),
        provider=provider_name(provider),
        model=model.removeprefix(f"{provider}/"),
        status="failure" if failed else "success",
        error_type=first(text(error.get("error_class")), text(error.get("error_code")))
        if failed
        else None,
        is_cache_hit=hit,
        tokens=disjoint(
            count(record.get("prompt_tokens")),
            count(first(read_details.get("cached_tokens"), usage.get("cache_read_input_tokens"))),
            count(
                first(
                    read_details.get("cache_write_tokens"),
                    read_details.get("cache_creation_tokens"),
                    usage.get("cache_creation_input_tokens"),
                )
            ),
            count(record.get("completion_tokens")),
            count((usage.get("completion_tokens_details") or {}).get("reasoning_tokens")),
        ),
        reported_cost_usd=money(first(record.get("response_cost"), record.get("spend"))),
        requested_at=start,
        first_token_at=first_token if not failed and first_token and first_token < end else None,
        completed_at=end,
        is_use=record.get("call_type") not in POLLS,
    )


def gateway_event(record: Row, landed_at: datetime) -> Event:
    """One row of the general format."""
    known = {name: text(value) for name, value in record.items()}.get
    start = required(moment(record.get("requested_at")))
    failed = known("status") == "failure"
    return Event(
        source="gateway",
        landed_at=landed_at,
        request_id=required(known("request_id")),
        prompt_id=known("prompt_id") or known("request_id"),
        session_id=known("session_id"),
        user_id=known("user_id"),
        user_name=known("user_name"),
        team_id=known("team_id"),
        provider=provider_name(required(known("provider"))),
        model=required(known("model")),
        status="failure" if failed else "success",
        error_type=known("error_type") if failed else None,
        is_cache_hit=flag(known("is_cache_hit")),
        tokens=disjoint(
            count(known("input_tokens")),
            count(known("cache_read_tokens")),
            count(known("cache_write_tokens")),
            count(known("output_tokens")),
            count(known("reasoning_tokens")),
        ),
        reported_cost_usd=money(known("cost_usd")),
        requested_at=start,
        first_token_at=after(start, known("time_to_first_token_ms")),
        completed_at=after(start, known("response_time_ms")),
    )


def spans_of(batch: Row) -> Iterator[Row]:
    """The spans of an export batch, attributes as a dict and times in microseconds."""
    for resource in batch["resourceSpans"]:
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                attributes = {
                    one["key"]: next(iter(one["value"].values()), None)
                    for one in span.get("attributes", [])
                }
                times = {
                    name: EPOCH + int(span[f"{name}TimeUnixNano"]) // 1000 * MICROSECOND
                    for name in ("start", "end")
                }
                yield span | times | {"attributes": attributes}


def otel_event(span: Row, above: Row, landed_at: datetime, gateways: Iterable[str]) -> Event:
    """One GenAI span. `above`: the attributes of its parent, which often alone name the user."""
    own = {name: text(value) for name, value in span["attributes"].items()}

    def known(*names: str, of: Row = own) -> str | None:
        """The first of these names that is given."""
        return first(*(of.get(name) for name in names))

    who, session = ("user.id", "enduser.id"), ("session.id", "gen_ai.conversation.id")
    use = "gen_ai.usage"
    wait = known("gen_ai.response.time_to_first_chunk")
    chunks = [
        int(event["timeUnixNano"]) - int(span["startTimeUnixNano"])
        for event in span.get("events", [])
        if event["name"] == "gen_ai.content.completion.chunk"
    ]
    wait_ms = float(wait) * 1000 if wait else min(chunks) / 10**6 if chunks else None
    failed = known("error.type") is not None or span.get("status", {}).get("code") == 2
    base = known("gen_ai.openai.api_base")
    address = f"{known('server.address')}:{known('server.port')}"
    if not known("server.address") and base:
        address = base.partition("://")[2].partition("/")[0]
    return Event(
        source="otel",
        landed_at=landed_at,
        request_id=known("gen_ai.response.id") or f"{span['traceId']}-{span['spanId']}",
        prompt_id=span["traceId"],
        session_id=known(*session) or known(*session, of=above),
        user_id=known(*who) or known(*who, of=above) or known("gen_ai.user"),
        user_name=known("user.name") or known("user.name", of=above),
        team_id=None,
        provider=provider_name(known("gen_ai.provider.name", "gen_ai.system")),
        model=required(known("gen_ai.response.model", "gen_ai.request.model")),
        status="failure" if failed else "success",
        error_type=known("error.type") if failed else None,
        is_cache_hit=False,
        tokens=disjoint(
            count(known(f"{use}.input_tokens", f"{use}.prompt_tokens")),
            count(known(f"{use}.cache_read.input_tokens", f"{use}.cache_read_input_tokens")),
            count(
                known(
                    f"{use}.cache_write.input_tokens",
                    f"{use}.cache_creation.input_tokens",
                    f"{use}.cache_creation_input_tokens",
                )
            ),
            count(known(f"{use}.output_tokens", f"{use}.completion_tokens")),
            count(known(f"{use}.reasoning.output_tokens", f"{use}.reasoning_tokens")),
        ),
        reported_cost_usd=None,
        requested_at=span["start"],
        first_token_at=after(span["start"], wait_ms),
        completed_at=span["end"],
        is_use=(known("gen_ai.operation.name") or "chat") in CALLS,
        is_client_view=address in gateways,
    )


def read_text(path: Path) -> str:
    opener = {".gz": gzip.open, ".zst": zstd.open}.get(path.suffix, open)
    with opener(path, "rb") as file:
        return file.read().decode()


def records(path: Path) -> Iterator[Row | None]:
    """The records of a landed file, None for each that is not JSON. Blank lines are no records."""
    content = read_text(path)
    if ".csv" in path.suffixes:
        yield from csv.DictReader(io.StringIO(content))
        return
    for line in content.splitlines():
        if line.strip():
            try:
                yield json.loads(line, parse_float=Decimal)
            except json.JSONDecodeError:
                yield None


def landed(folder: Path) -> Iterator[tuple[datetime, Row | None]]:
    """When each record of a source landed, and the record."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        landed_at = EPOCH + int(path.stat().st_mtime_ns // 1000) * MICROSECOND
        for record in records(path):
            yield landed_at, record


def readable(
    source: str, make: Callable[[Row, datetime], Event], landed_at: datetime, record: Row | None
) -> Event | Rejected:
    """The event that a record is, or its rejection."""
    try:
        return make(required(record), landed_at)
    except (ValueError, ArithmeticError):
        at = first(*map((record or {}).get, ("requested_at", "startTime")))
        try:
            return Rejected(source, landed_at, moment(at))
        except (ValueError, ArithmeticError):
            return Rejected(source, landed_at, None)


def read(landing: Path, gateways: Iterable[str]) -> Iterator[Event | Rejected]:
    """Every record that landed; of spans, those of GenAI."""
    for source, make in (("litellm", litellm_event), ("gateway", gateway_event)):
        for landed_at, record in landed(landing / source):
            yield readable(source, make, landed_at, record)
    spans = [
        (landed_at, span)
        for landed_at, batch in landed(landing / "otel")
        for span in spans_of(required(batch))
    ]
    by_id = {(span["traceId"], span["spanId"]): span["attributes"] for _, span in spans}
    for landed_at, span in spans:
        if any(name.startswith("gen_ai.") for name in span["attributes"]):
            above = by_id.get((span["traceId"], span.get("parentSpanId")), {})
            yield otel_event(span, above, landed_at, gateways)


# --- From events to requests ---


def milliseconds(start: datetime, end: datetime | None) -> Decimal | None:
    return None if end is None else Decimal((end - start) // MICROSECOND).scaleb(-3)


def local(at: datetime, zone: ZoneInfo) -> datetime:
    """The wall clock of the organisation."""
    return at.replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=None)


def merged(events: list[Event]) -> Row:
    """One request of all the events that tell of it: the gateway's first, others fill its gaps."""
    ranked = sorted(
        events, key=lambda e: (e.source == "otel", e.tokens is None, e.status == "failure")
    )
    names = [field.name for field in fields(Event)]
    row = {name: first(*(getattr(event, name) for event in ranked)) for name in names}
    sessions = [event for event in ranked if event.session_id]
    if beyond_doubt := [event for event in sessions if not event.is_session_id_doubtful]:
        row["session_id"] = beyond_doubt[0].session_id
    return row | {"is_session_id_doubtful": bool(sessions) and not beyond_doubt}


@cache
def ai_service(provider: str, model: str) -> str:
    """The name of the longest pattern that matches, else the provider's."""
    with AI_SERVICES.open(newline="", encoding="utf-8") as file:
        names = {
            rule["model_pattern"]: rule["ai_service"]
            for rule in csv.DictReader(file)
            if rule["provider"] == provider and fnmatchcase(model, rule["model_pattern"])
        }
    return names[max(names, key=len)] if names else provider


def price(row: Row) -> Row:
    """What genai-prices asks for the request; None, and never 0, where it knows no price."""
    uncached, read, write, output, reasoning = row["tokens"]
    usage = Usage(
        input_tokens=uncached + read + write,
        cache_read_tokens=read,
        cache_write_tokens=write,
        output_tokens=output + reasoning,
        output_reasoning_tokens=reasoning,
    )
    try:
        price = calc_price(
            usage,
            row["model"],
            provider_id=row["provider"],
            genai_request_timestamp=row["requested_at"].replace(tzinfo=UTC),
        )
    except LookupError:
        has_price, cost = False, None
    else:
        has_price, cost = True, price.total_price
    if row["is_cache_hit"] or (row["status"] == "failure" and not sum(row["tokens"])):
        cost = Decimal(0)
    return {"has_price": has_price, "cost_usd": cost}


def with_sessions(requests: list[Request], idle: timedelta) -> list[Request]:
    """Derive the sessions that are not reported; each is named after its first request."""
    reported, underived, derived = [], [], []
    for row, part in by(requests, "session_id", "usage_date"):
        # Many requests do not share what was made up for one of them.
        made_up = len(part) == 1 and part[0].is_session_id_doubtful
        (underived if made_up or not row["session_id"] else reported).extend(part)
    for _, part in by(underived, "user_id", "usage_date"):
        session_id, before = "", datetime.min
        for request in sorted(part, key=attrgetter("requested_at", "request_id")):
            if request.user_id is None or request.requested_at - before > idle:
                session_id = f"derived: {request.request_id}"
            before = request.requested_at
            names = {"session_id": session_id, "session_id_source": "derived"}
            derived.append(replace(request, **names))
    return reported + derived


def requests_of(events: list[Event], zone: ZoneInfo, idle_minutes: int) -> list[Request]:
    """Every request once."""
    told: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        if event.is_use:
            told[event.request_id].append(event)
    requests = []
    for parts in told.values():
        if all(event.is_client_view for event in parts):
            continue
        row = merged(parts)
        row["provider"] = row["provider"] or "unknown"
        row["error_type"] = (row["error_type"] or "unknown") if row["status"] == "failure" else None
        row["tokens"] = row["tokens"] or (0, 0, 0, 0, 0)
        for name in ("first_token_at", "completed_at"):  # clocks may disagree
            if row[name] and row[name] < row["requested_at"]:
                row[name] = None
        here = local(row["requested_at"], zone)
        row |= {"usage_date": here.date(), "usage_hour": here.replace(minute=0, second=0)}
        row["usage_hour"] = row["usage_hour"].replace(microsecond=0)
        row["ai_service"] = ai_service(row["provider"], row["model"])
        requests.append(Request(**row, **price(row)))
    return with_sessions(requests, timedelta(minutes=idle_minutes))


def by(rows: Iterable[Any], *names: str) -> Iterator[tuple[Row, list[Any]]]:
    """The rows in groups that have the same values of these attributes; `user` is the user_id."""
    groups: dict[tuple, list[Any]] = defaultdict(list)
    for row in rows:
        groups[tuple(getattr(row, name) for name in names)].append(row)
    columns = ["user_id" if name == "user" else name for name in names]
    for key, part in groups.items():
        yield dict(zip(columns, key, strict=True)), part


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
    return {name: total(requests, name) for name in names}


def unpriced_tokens(requests: list[Request]) -> int:
    return sum(request.total_tokens for request in requests if request.cost_usd is None)


def tokens_and_cost(requests: list[Request]) -> Row:
    cost = {"requests": len(requests), "cost_usd": total(requests, "cost_usd")}
    return tokens(requests) | cost | {"unpriced_tokens": unpriced_tokens(requests)}


def costs(requests: list[Request]) -> Row:
    unpriced = unpriced_tokens(requests)
    all_tokens, cost = total(requests, "total_tokens"), total(requests, "cost_usd")
    millions = Decimal(all_tokens - unpriced).scaleb(-6)
    return {
        "requests": len(requests),
        "total_tokens": all_tokens,
        "cost_usd": cost,
        "reported_cost_usd": total(requests, "reported_cost_usd"),
        "unpriced_tokens": unpriced,
        "cost_per_million_tokens_usd": cost / millions if millions and cost is not None else None,
    }


def response_averages(requests: list[Request]) -> Row:
    answers = responses(requests)
    times = known(answers, "response_time_ms")
    timed = [r for r in answers if r.response_time_ms is not None]
    return {
        "responses": len(answers),
        "avg_output_tokens": mean([r.output_tokens for r in answers]),
        "avg_response_time_ms": mean(times),
        **{f"p{n}_response_time_ms": percentile(times, n) for n in (50, 95, 99)},
        "avg_time_to_first_token_ms": mean(known(answers, "time_to_first_token_ms")),
        "output_tokens_per_second": share(total(timed, "output_tokens"), sum(times) / 1000),
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
        "cost_usd": total(requests, "cost_usd"),
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
    not_columns = {"landed_at", "user_name", "tokens", "is_use", "is_client_view"}
    not_columns |= {"is_session_id_doubtful"}
    computed = ("response_time_ms", "time_to_first_token_ms")
    computed += ("input_tokens", "output_tokens", "total_tokens")
    names = {*(field.name for field in fields(Request)), *computed} - not_columns
    by_type = [
        "output_tokens_without_reasoning" if name == "output" else f"{name}_tokens"
        for name in TOKEN_TYPES
    ]
    return [
        {name: getattr(r, name) for name in names} | dict(zip(by_type, r.tokens, strict=True))
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
            "active_users": distinct(part, "user_id"),
            "sessions": distinct(part, "session_id"),
            **tokens(part),
        }
        for key, part in by(requests, "usage_date")
    ]


def usage_by_ai_service(requests: list[Request]) -> list[Row]:
    return [
        {
            **key,
            **counts(part),
            "active_users": distinct(part, "user_id"),
            "sessions": distinct(part, "session_id"),
            **tokens(part),
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
        }
        for key, part in by(requests, "usage_date", "user")
    ]


def token_usage_details(requests: list[Request]) -> list[Row]:
    rows = []
    for key, part in by(requests, "usage_date", "user", "ai_service", "model"):
        for i, token_type in enumerate(TOKEN_TYPES):
            if number := sum(r.tokens[i] for r in part):
                rows.append(key | {"token_type": token_type, "tokens": number})
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
            "active_users": distinct(part, "user_id"),
            "total_tokens": total(part, "total_tokens"),
            "cost_usd": total(part, "cost_usd"),
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
                "active_users": distinct(part, "user_id"),
                "total_tokens": total(part, "total_tokens"),
                "cost_usd": total(part, "cost_usd"),
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
        no_use = sum(event.is_client_view or not event.is_use for event in events)
        rows.append(
            {
                "usage_date": day,
                "source": source,
                "events_received": len(records),
                "events_accepted": len(events),
                "events_rejected": len(records) - len(events),
                "non_usage_events": no_use,
                "duplicates": len(events) - no_use - len(part),
                "late_events": sum(
                    local(event.landed_at, zone).date() > day + DAY for event in events
                ),
                "requests": len(part),
                "unpriced_requests": sum(not r.has_price for r in part),
                "requests_without_user": sum(r.user_id is None for r in part),
                "requests_without_session": sum(r.session_id_source == "derived" for r in part),
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


@dataclass(frozen=True)
class Recomputation:
    """All tables; those of buckets as the exact values that the buckets must hold."""

    tables: dict[str, list[Row]]
    buckets: dict[str, dict[tuple[date, str], list[Decimal]]]


def recompute(
    landing: Path,
    *,
    reporting_time_zone: str = "UTC",
    session_idle_minutes: int = 30,
    gateway_addresses: Iterable[str] = (),
) -> Recomputation:
    """Compute every public table from the landing files."""
    zone = ZoneInfo(reporting_time_zone)
    records = list(read(landing, gateway_addresses))
    events = [record for record in records if isinstance(record, Event)]
    requests = requests_of(events, zone, session_idle_minutes)
    tables = {
        f"{schema}.{table.__name__}": table(requests)
        for schema, functions in TABLES.items()
        for table in functions
    }
    tables["technical.data_quality"] = data_quality(records, requests, zone)
    return Recomputation(
        tables,
        {
            "technical.response_times": response_times(requests),
            "technical.session_lengths": session_lengths(requests),
        },
    )
