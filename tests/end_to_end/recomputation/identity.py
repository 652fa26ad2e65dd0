"""Which deliveries tell of one call, which calls are one request, and which of them counts."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import combinations
from typing import Any

from recomputation.events import SOURCES, TELLERS, Event
from recomputation.values import first

AT_MOST_APART = timedelta(minutes=10)
TOO_LONG_TO_REPEAT = 20
SPEAKS_OPENAI = "openai"


class Call:
    """What a source keeps apart: all deliveries of it, the one that counts first."""

    def __init__(self, deliveries: list[Event]) -> None:
        self.deliveries = sorted(deliveries, key=order)
        self.best = self.deliveries[0]
        self.tellers = {one.teller for one in deliveries}
        self.witnesses = frozenset().union(*(one.witnesses for one in deliveries))
        self.tokens = first(*(one.tokens for one in self.deliveries))


def order(event: Event) -> tuple:
    """Sort deliveries by this, the one that counts comes first.

    A source by itself knows which of its records is newer; clocks of two are not compared.
    """
    later = lambda at: (at or datetime.min) - datetime.max  # noqa: E731
    told = sum(value is not None for value in vars(event).values())
    return (
        SOURCES.index(event.source),
        -later(event.updated_at),
        event.is_provisional,
        teller_rank(event),
        -later(event.landed_at),
        event.tokens is None,
        -told,
        event.landing_file,
        event.text,
    )


def teller_rank(event: Event) -> int:
    return TELLERS.index(event.teller.partition(" ")[0])


def apart(one: Call, other: Call) -> timedelta:
    return abs(one.best.requested_at - other.best.requested_at)


def named_alike(one: Event, other: Event) -> bool:
    """What answered, or what was asked for: a gateway's clients know its models by its names."""
    names = [{event.model} | event.asked for event in (one, other)]
    return "unknown" in (one.model, other.model) or bool(names[0] & names[1])


def provided_alike(one: Event, other: Event) -> bool:
    """A client that speaks OpenAI's protocol takes whoever answers for OpenAI."""
    if None in (one.provider, other.provider) or one.provider == other.provider:
        return True
    spans = (event for event in (one, other) if event.source == "otel")
    return any(span.provider == SPEAKS_OPENAI for span in spans)


def may_be_one(one: Call, other: Call) -> bool:
    """Whether something joins two calls, and nothing that both tell differs."""
    shared = one.witnesses & other.witnesses
    cannot_repeat = bool(shared) and max(map(len, shared)) >= TOO_LONG_TO_REPEAT
    # A gateway that does not tell what it was asked for may have been asked by any name.
    better = min((one.best, other.best), key=teller_rank)
    may_be_named_alike = named_alike(one.best, other.best) or (cannot_repeat and not better.asked)
    tokens = [(sum(call.tokens[:3]), sum(call.tokens[3:])) for call in (one, other) if call.tokens]
    same_output = len(tokens) < 2 or tokens[0][1] == tokens[1][1]
    same_input = len(tokens) < 2 or tokens[0][0] == tokens[1][0]
    return (
        bool(shared)
        and not one.tellers & other.tellers
        and may_be_named_alike
        and provided_alike(one.best, other.best)
        and apart(one, other) <= AT_MOST_APART
        and same_output
        and (same_input or cannot_repeat)
    )


def calls_of(events: list[Event]) -> list[Call]:
    deliveries: dict[tuple[str, str], list[Event]] = defaultdict(list)
    for event in events:
        deliveries[event.source, event.call_id].append(event)
    return [Call(part) for part in deliveries.values()]


def joined(calls: list[Call]) -> list[list[Call]]:
    """Calls that are one request: the nearest in time first, each teller once.

    Of the tries of one call those that ended alike, before others that are nearer.
    """
    by_witness = defaultdict(list)
    for call in calls:
        for witness in call.witnesses:
            by_witness[witness].append(call)
    pairs: dict[tuple, tuple[Call, Call]] = {}
    for found in by_witness.values():
        for one, other in combinations(found, 2):
            if may_be_one(one, other):
                ended_alike = one.best.status == other.best.status
                both = sorted((order(one.best), order(other.best)))
                key: Any = (not ended_alike, apart(one, other), *both)
                pairs[key] = one, other
    group_of = {id(call): [call] for call in calls}
    for key in sorted(pairs):
        some, others = (group_of[id(call)] for call in pairs[key])
        tellers = [
            {teller for call in group for teller in call.tellers} for group in (some, others)
        ]
        if some is not others and not tellers[0] & tellers[1]:
            some.extend(others)
            for call in others:
                group_of[id(call)] = some
    groups = {id(group): group for group in group_of.values()}
    return [sorted(group, key=lambda call: order(call.best)) for group in groups.values()]


def conflicts(deliveries: list[Event]) -> int:
    """How many tell another model, status or usage than the first, which counts."""
    best, tokens = deliveries[0], first(*(one.tokens for one in deliveries))

    def differs(one: Event) -> bool:
        other_tokens = None not in (one.tokens, tokens) and (
            sum(one.tokens[:3]) != sum(tokens[:3]) or sum(one.tokens[3:]) != sum(tokens[3:])
        )
        # A client may know the model by another name.
        other_model = one.teller == best.teller and one.model != best.model
        return other_model or other_tokens or one.status != best.status

    return sum(map(differs, deliveries))


def requests_told(events: list[Event]) -> Iterator[list[Event]]:
    """The deliveries of each request, the one that counts first. Clients' views alone are none."""
    for group in joined(calls_of([event for event in events if event.left_out_as is None])):
        deliveries = sorted((one for call in group for one in call.deliveries), key=order)
        if not all(one.is_client_view for one in deliveries):
            yield deliveries
