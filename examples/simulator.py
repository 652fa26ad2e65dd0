"""Simulate an organisation that uses AI: the files its gateways leave, and the true totals.

People join over time, keep their own hours and tastes and ask in bursts; their AIs fail, are
retried and fall back, and about once a month a provider has a bad day. Events come late and
twice. Times are integer microseconds since the epoch, days are days since the epoch (UTC), and
money is whole units of 1e-10 USD, so every total is exact.

Some requests to LiteLLM are seen a second time, by the application that made them: its spans name
the proxy, litellm.acme.example:4000. The setting `gateway_addresses` should hold that address. The
totals are the same without it, because only answered requests are seen twice, and both records
bear the id of the answer.
"""

import argparse
import json
import os
import sys
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any

from examples.delivery import DAY, EPOCH, HOUR, Landing, Truth
from examples.formats import SECOND, Request, uid
from examples.organisation import (
    CHAT,
    ERRORS,
    HALVES,
    MODELS,
    NIGHTLY,
    PARTS,
    SEARCHES,
    TIERS,
    WEB_SEARCH_PRICE,
    Model,
    User,
    people,
)

MINUTE = 60 * SECOND
FAILURE, OUTAGE_FAILURE, CACHE_HIT = 0.05, 0.6, 0.05  # shares


def is_weekend(day: int) -> bool:
    """Tell whether most people rest on a day."""
    return (EPOCH + timedelta(day)).weekday() >= 5


class Simulation:
    """The organisation at work."""

    def __init__(self, landing: Landing, truth: Truth, rng: Random, first: int) -> None:
        """Share one source of chance, so that a seed gives the same bytes."""
        self.landing, self.truth, self.rng = landing, truth, rng
        self.answers: dict[str, str] = {}  # model: an answer's id, for the gateway's cache
        self.outages: dict[int, str] = {}  # day: provider; one working day in every 30
        providers = sorted({m.provider for m in MODELS if m.popularity > 3})
        rng.shuffle(providers)
        for i, month in enumerate(range(first, landing.last_day + 1, 30)):
            working = [day for day in range(month, month + 30) if not is_weekend(day)]
            self.outages[rng.choice(working)] = providers[i % len(providers)]

    def day(self, day: int, people: list[User], growth: float) -> None:
        """Play one day of everybody; `growth`: 0 on the first day to 1 on the last."""
        rng, weekend = self.rng, is_weekend(day)
        for user in people:
            if user.joins > day:
                continue
            if user.id == NIGHTLY:
                self.session(user, (day + 1) * DAY + 1000)
                continue
            rate = user.sessions_per_day * (0.8 + 0.4 * growth) * (0.12 if weekend else 1)
            clock = rng.expovariate(rate)  # in working days
            while clock < 1:
                hour = user.starts_hour + user.works_hours * clock - user.utc_offset_hours
                if not 0.4 < clock < 0.52 or rng.random() < 0.4:  # most are at lunch
                    self.session(user, day * DAY + int(hour * HOUR))
                clock += rng.expovariate(rate)

    def session(self, user: User, at: int) -> None:
        """Play a burst of prompts that starts at `at`, a few minutes apart."""
        rng = self.rng
        session = uid(rng) if rng.random() < 0.8 else None
        model = rng.choices(MODELS, user.taste)[0]
        for _ in range(1 + int(rng.expovariate(0.25))):
            if at > (self.landing.last_day + 1) * DAY - 15 * MINUTE:
                return  # nothing may be left that is delivered after the last day
            if model.source == "otel" and at % DAY > DAY - 10 * MINUTE:
                at += 10 * MINUTE  # a trace stays within a day, and so in one file
            requests = self.prompt(user, session, model, at)
            self.truth.count(requests)
            self.landing.send(requests)
            at = max(r.end for r in requests) + int(SECOND * rng.lognormvariate(4.6, 0.9))
            model = rng.choices(MODELS, user.taste)[0] if rng.random() < 0.2 else model

    def prompt(self, user: User, session: str | None, model: Model, at: int) -> list[Request]:
        """Ask one thing: of one AI or of several at once, again after a failure."""
        rng, prompt, requests = self.rng, uid(self.rng), []
        several = model.source != "litellm" and rng.random() < 0.15
        for asked in [m for m in MODELS if m.source == model.source] if several else [model]:
            start, tried = at + rng.randrange(20) * 1000, asked
            for _ in range(3):
                requests.append(self.request(prompt, session, user, tried, start))
                if not (error := requests[-1].error) or not error.may_pass:
                    break
                start = requests[-1].end + rng.randrange(200, 5000) * 1000
                tried = rng.choice(CHAT) if asked in CHAT and rng.random() < 0.3 else asked
        return requests

    def request(
        self, prompt: str, session: str | None, user: User, model: Model, at: int
    ) -> Request:
        """Call an AI once at `at`; at most two minutes, so that three tries take less than ten."""
        rng, outage = self.rng, self.outages.get(at // DAY) == model.provider
        failed = rng.random() < (OUTAGE_FAILURE if outage else FAILURE)
        error = rng.choices(ERRORS, (1, 1, 1, 5, 20) if outage else None)[0] if failed else None
        hit = not error and model.source != "otel" and rng.random() < CACHE_HIT
        inputs = min(1 + int(model.typical_input * rng.lognormvariate(0, 1)), 150_000)
        outputs = min(int(model.typical_output * rng.lognormvariate(0, 0.8)), 30_000)
        read = int(inputs * rng.uniform(0.3, 0.9)) // 128 * 128 * (rng.random() < model.cached)
        write = int((inputs - read) * rng.uniform(0, 0.8)) * (model.write_price > 0)
        reasoning = int(outputs * model.reasoning * rng.uniform(0.5, 1.5))
        tokens = (inputs - read - write, read, write, outputs - reasoning, reasoning)
        tokens = (0, 0, 0, 0, 0) if error else tokens
        parts = self.parts(model, tokens)
        searches = rng.choice((0, 0, 0, 1, 2)) if model.name in SEARCHES and not error else 0
        tier = rng.choice(TIERS.get(model.name, (None,)))
        tier = None if error and tier == "default" else tier  # it is the answer that tells it
        cost = None if model.uncached_price < 0 else 0
        if cost is not None and not hit:
            prices = (*model[3:7], model.output_price)  # reasoning costs what output costs
            cost = sum(n * p for n, p in zip(tokens, prices, strict=True))
            cost += sum(parts[p.meter] * (p.price - prices[p.of]) for p in PARTS[model.name])
            cost = cost * HALVES.get(tier, 2) // 2 + searches * WEB_SEARCH_PRICE
        seconds = model.first_token + outputs / model.speed
        wait = (model.first_token + reasoning / model.speed) / seconds  # thinking is not streamed
        seconds = error.seconds if error else 0.02 if hit else seconds
        took = int(min(seconds * rng.lognormvariate(0, 0.35), 120) * SECOND)
        streams = not error and not hit and outputs and rng.random() < 0.6
        first = int(took * wait) if streams else took
        name = uid(rng)
        if model.source == "litellm":  # failures and embeddings are known by the call alone
            name = prompt if error or model not in CHAT else f"chatcmpl-{name}"
            if hit:
                known = self.answers.get(model.name, name) if model in CHAT else name
                name = f"{known}_cache_hit{(at + took) / SECOND}"
            elif name != prompt:
                self.answers[model.name] = name
        made = (name, prompt, session, user, model, at, at + first, at + took)
        team = user.team_on(at // DAY)
        return Request(*made, error, hit, tokens, parts, searches, tier, team, cost)

    def parts(self, model: Model, tokens: tuple[int, ...]) -> dict[str, int]:
        """Split off what has a price of its own, from what is left of each type of tokens."""
        left, parts = list(tokens), {}
        for meter, of, at_most, _ in PARTS[model.name]:
            share = 1 if at_most == 1 else self.rng.uniform(0, at_most)
            parts[meter] = int(left[of] * share)
            left[of] -= parts[meter]
        return parts


def simulate(
    landing: Path,
    *,
    truth: Path | None,
    days: int = 90,
    users: int = 40,
    seed: int = 1,
    last_day: date,
) -> dict[str, Any]:
    """Write the landing files of `days` days up to `last_day`, and return the overall totals.

    `truth` receives totals.csv, one row per (usage_date UTC, source whose record counts, user,
    team, provider, model, service tier), and overall.json. Everything that is delivered is counted
    there, once. Events of `otel` are GenAI spans, without their parents; `late_events` were first
    delivered in the file of a later day; `client_views` tell of requests that count under
    `litellm`.
    """
    last = (last_day - EPOCH).days
    first, rng = last - days + 1, Random(seed)  # noqa: S311 (not for secrets)
    if truth:
        truth.mkdir(parents=True, exist_ok=True)
    ledger = Truth(truth / "totals.csv" if truth else Path(os.devnull))
    work = Simulation(Landing(landing, rng, last), ledger, rng, first)
    staff = people(rng, users, first, days)
    for day in range(first, last + 1):
        work.day(day, staff, (day - first) / days)
        work.landing.write(day)
        ledger.close(day)
    sources = {source: dict(counts) for source, counts in work.landing.counts.items()}
    overall = ledger.overall() | {"sources": sources}
    if truth:
        (truth / "overall.json").write_text(json.dumps(overall, indent=2) + "\n", encoding="utf-8")
    return overall


def main() -> None:
    """Simulate from the command line."""
    parser = argparse.ArgumentParser(description="Simulate an organisation that uses AI.")
    parser.add_argument("--landing", type=Path, required=True)
    parser.add_argument("--truth", type=Path)
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--users", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--last-day", type=date.fromisoformat, required=True)
    sys.stdout.write(json.dumps(simulate(**vars(parser.parse_args())), indent=2) + "\n")


if __name__ == "__main__":
    main()
