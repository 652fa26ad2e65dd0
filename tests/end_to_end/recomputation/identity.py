"""Which deliveries tell of one call, which calls are one request, and which of them counts."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import combinations

from recomputation.events import TELLERS, Event
from recomputation.values import first

AT_MOST_APART = timedelta(minutes=10)


def counts_before(event: Event) -> tuple:
    """Sort deliveries of a call by this: the one that counts is the last."""
    told = sum(value is not None for value in vars(event).values())
    return (
        event.updated_at or datetime.min,
        not event.is_provisional,
        event.landed_at,
        event.tokens is not None,
        told,
        event.landing_file,
        event.text,
    )


class Call:
    """What a source keeps apart: all deliveries of it, the one that counts first."""

    def __init__(self, deliveries: list[Event]) -> None:
        self.deliveries = sorted(deliveries, key=counts_before, reverse=True)
        self.best = self.deliveries[0]
        self.tellers = {one.teller for one in deliveries}
        self.witnesses = frozenset().union(*(one.witnesses for one in deliveries))
        self.names = frozenset(one.model for one in deliveries if one.model) - {"unknown"}
        self.asked = frozenset().union(*(one.asked for one in deliveries))
        self.tokens = first(*(one.tokens for one in self.deliveries))

    @property
    def rank(self) -> tuple:
        """Among the calls of a request the lowest counts."""
        return min(map(TELLERS.index, self.tellers)), *reversed_order(counts_before(self.best))

    @property
    def conflicts(self) -> int:
        """How many deliveries tell other than the one that counts."""

        def differs(one: Event) -> bool:
            same_model = one.model == self.best.model
            same_tokens = None in (one.tokens, self.tokens) or one.tokens == self.tokens
            return not same_model or not same_tokens or one.status != self.best.status

        return sum(map(differs, self.deliveries))


def reversed_order(values: tuple) -> tuple:
    return tuple(Reversed(value) for value in values)


class Reversed:
    """Sorts the other way round."""

    def __init__(self, value: object) -> None:
        self.value = value

    def __lt__(self, other: "Reversed") -> bool:
        return other.value < self.value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Reversed) and other.value == self.value

    __hash__ = None


def apart(one: Call, other: Call) -> timedelta:
    return abs(one.best.requested_at - other.best.requested_at)


def contradict(one: Call, other: Call) -> bool:
    """Whether what they tell cannot be of one request."""
    a, b = one.best, other.best
    alias = one.asked & (other.asked | other.names) or other.asked & (one.asked | one.names)
    names_differ = one.names and other.names and not one.names & other.names
    providers_differ = None not in (a.provider, b.provider) and a.provider != b.provider
    tokens_differ = (
        one.tokens is not None
        and other.tokens is not None
        and (
            sum(one.tokens[:3]) != sum(other.tokens[:3])
            or sum(one.tokens[3:]) != sum(other.tokens[3:])
        )
    )
    return bool(
        (not alias and (names_differ or providers_differ))
        or apart(one, other) > AT_MOST_APART
        or tokens_differ
        or a.status != b.status
    )


def calls_of(events: list[Event]) -> list[Call]:
    deliveries: dict[tuple[str, str], list[Event]] = defaultdict(list)
    for event in events:
        deliveries[event.source, event.call_id].append(event)
    return [Call(part) for part in deliveries.values()]


def joined(calls: list[Call]) -> list[list[Call]]:
    """Calls that are one request: the nearest in time first, each teller once."""
    by_witness = defaultdict(list)
    for call in calls:
        for witness in call.witnesses:
            by_witness[witness].append(call)
    pairs = {
        (apart(one, other), *sorted((one.best.call_id, other.best.call_id))): (one, other)
        for found in by_witness.values()
        for one, other in combinations(found, 2)
        if not one.tellers & other.tellers and not contradict(one, other)
    }
    group_of = {id(call): [call] for call in calls}
    for _, (one, other) in sorted(pairs.items(), key=lambda item: item[0]):
        a, b = group_of[id(one)], group_of[id(other)]
        if a is b:
            continue
        tellers = [{t for call in group for t in call.tellers} for group in (a, b)]
        if tellers[0] & tellers[1]:
            continue
        if any(contradict(x, y) for x in a for y in b):
            continue
        a.extend(b)
        for call in b:
            group_of[id(call)] = a
    groups = {id(group): group for group in group_of.values()}
    return [sorted(group, key=lambda call: call.rank) for group in groups.values()]


def requests_told(events: list[Event]) -> Iterator[list[Call]]:
    """The calls of each request, the one that counts first. Views of clients alone are none."""
    for group in joined(calls_of([event for event in events if event.is_use])):
        if not all(one.is_client_view for call in group for one in call.deliveries):
            yield group
