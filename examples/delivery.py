"""Landing files with late and duplicate events, and the true totals of what is in them."""

import csv
import gzip
import io
import math
import os
from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

from backports import zstd

from examples.formats import (
    SECOND,
    Request,
    gateway_record,
    litellm_line,
    otel_trace,
    to_json,
    uid,
)
from examples.organisation import CHAT, METERS, NIGHTLY

HOUR, DAY = 3600 * SECOND, 86400 * SECOND
EPOCH = date(1970, 1, 1)
LATE, DUPLICATE, CLIENT_VIEW, POLL = 0.03, 0.02, 0.22, 0.02  # shares
SOURCES = ("litellm", "otel", "gateway")
GROUP = ("usage_date", "source", "user_id", "team_id", "provider", "model", "service_tier")
MEASURES = ("requests", "responses", "failed_requests", "cache_hits", "input_uncached_tokens")
MEASURES += ("cache_read_tokens", "cache_write_tokens", "output_tokens_without_reasoning")
MEASURES += ("reasoning_tokens", *(f"{meter}_tokens" for meter in METERS), "web_searches")


def otel_text(units: list[tuple[bool, list[tuple[bool, str]]]]) -> str:
    """Write export batches of up to 50 spans, one a line; each dialect is a service of its own."""
    lines = []
    for old, service in ((True, "assistant-1"), (False, "assistant-2")):
        name = to_json({"key": "service.name", "value": {"stringValue": service}})
        spans = [span for is_old, unit in units if is_old == old for span in unit]
        for i in range(0, len(spans), 50):
            parents = ",".join(text for is_parent, text in spans[i : i + 50] if is_parent)
            children = ",".join(text for is_parent, text in spans[i : i + 50] if not is_parent)
            lines.append(
                f'{{"resourceSpans":[{{"resource":{{"attributes":[{name}]}},"scopeSpans":['
                f'{{"scope":{{"name":"opentelemetry.util.genai.handler"}},"spans":[{children}]}},'
                f'{{"scope":{{"name":"app"}},"spans":[{parents}]}}]}}]}}\n'
            )
    return "".join(lines)


def gateway_file(records: list[dict[str, Any]], day: int) -> tuple[str, bytes]:
    """Return a file's ending and bytes: three formats and three spellings of time in turn."""

    def iso(at: int) -> str:
        return datetime.fromtimestamp(at / SECOND, UTC).isoformat(timespec="microseconds")

    if day % 3 == 1:
        text = io.StringIO()
        table = csv.DictWriter(text, list(records[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(  # a time without a zone is UTC; no exponents in a table
            x
            | {"requested_at": iso(x["requested_at"]).replace("T", " ").removesuffix("+00:00")}
            | ({} if x["cost_usd"] is None else {"cost_usd": f"{x['cost_usd']:.10f}"})
            for x in records
        )
        return "csv", text.getvalue().encode()
    spell = iso if day % 3 == 0 else lambda at: at / SECOND
    lines = [to_json(x | {"requested_at": spell(x["requested_at"])}) + "\n" for x in records]
    plain = "".join(lines).encode()
    return ("jsonl.zst", zstd.compress(plain)) if day % 3 == 0 else ("jsonl", plain)


class Landing:
    """Files every event under the day it is delivered; holds what is still under way."""

    def __init__(self, root: Path, rng: Random, last_day: int) -> None:
        """Deliver into `root`, nothing after `last_day`."""
        self.root, self.rng, self.last_day = root, rng, last_day
        self.waiting: dict[tuple[str, int], list[tuple[int, Any]]] = defaultdict(list)
        self.counts = {source: Counter[str]() for source in SOURCES}

    def deliver(self, source: str, at: int, event: Any, events: int = 1) -> None:
        """Deliver `events` that began at `at`: mostly the same day, some late, some twice."""
        rng, counts = self.rng, self.counts[source]
        delay = HOUR * math.exp(rng.uniform(math.log(2), math.log(480)))  # 2 h to 20 days
        late = rng.random() < LATE
        day = min((at + int(delay) * late) // DAY, self.last_day)
        counts["late_events"] += events * (day > at // DAY)
        days = [day]
        if rng.random() < DUPLICATE:
            days.append(min(day + rng.choice((0, 0, 1, 1, 4)), self.last_day))
            counts["duplicates_delivered"] += events
        for delivered in days:
            self.waiting[source, delivered].append((at, event))
            counts["events_delivered"] += events

    def send(self, requests: list[Request]) -> None:
        """Send the events that tell of one prompt."""
        rng, user, source = self.rng, requests[0].user, requests[0].model.source
        if source == "otel":
            unit = (user.old_dialect, otel_trace(rng, requests))
            self.deliver("otel", requests[0].at, unit, len(requests))
        for r in requests:
            if source == "gateway":
                self.deliver("gateway", r.at, gateway_record(r))
            if source != "litellm":
                continue
            kind = "acompletion" if r.model in CHAT else "aembedding"
            self.deliver("litellm", r.at, litellm_line(r, kind))
            if r.error or r.is_cache_hit or r.model not in CHAT:
                continue
            if rng.random() < CLIENT_VIEW or user.id == NIGHTLY:
                early = rng.randrange(5, 60) * 1000
                unit = (user.old_dialect, otel_trace(rng, [r], early))
                self.deliver("otel", r.at - early, unit)
                self.counts["otel"]["client_views"] += 1
            if rng.random() < POLL:  # asks whether an answer is ready: an event, but no use
                kind, name = rng.choice(("aretrieve_batch", "aget_responses")), uid(rng)
                polled = r._replace(id=f"poll_{name}", prompt=name, first_token=r.end, cost=0)
                if kind == "aretrieve_batch":
                    polled = polled._replace(tokens=(0, 0, 0, 0, 0))
                self.deliver("litellm", r.at, litellm_line(polled, kind))
                self.counts["litellm"]["polls"] += 1

    def write(self, day: int) -> None:
        """Write the files of one delivery day, dated 01:00 UTC of the next."""
        for source in SOURCES:
            events = [e for _, e in sorted(self.waiting.pop((source, day), []), key=lambda x: x[0])]
            if not events:
                continue
            ending = "jsonl.gz"
            if source == "gateway":
                ending, content = gateway_file(events, day)
            else:
                text = otel_text(events) if source == "otel" else "\n".join(events) + "\n"
                content = gzip.compress(text.encode(), 6, mtime=0)
            path = self.root / source / f"{EPOCH + timedelta(day)}.{ending}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            os.utime(path, (((day + 1) * DAY + HOUR) // SECOND,) * 2)


class Truth:
    """Counts every request once, and writes the counts of a day when it is over."""

    def __init__(self, path: Path) -> None:
        """Write totals to the CSV file `path`."""
        self.file = path.open("w", newline="", encoding="utf-8")
        self.table = csv.writer(self.file, lineterminator="\n")
        self.table.writerow((*GROUP, *MEASURES, "prompts", "reported_cost_usd"))
        self.days: dict[int, dict[tuple[str, ...], tuple[list[int], set[str]]]] = defaultdict(dict)
        self.totals, self.prompts = [0] * (len(MEASURES) + 1), 0  # the last is the cost
        self.users: set[str] = set()

    def count(self, requests: list[Request]) -> None:
        """Add the requests of one prompt to their days' totals."""
        self.prompts += 1
        for r in requests:
            names = {"gcp.gemini": "google", "gemini": "google", "default": "standard", None: ""}
            provider = names.get(r.model.provider, r.model.provider)
            tier = names.get(r.tier, r.tier)
            key = (r.model.source, r.user.id, r.team, provider, r.model.name, tier)
            sums, prompts = self.days[r.at // DAY].setdefault(key, ([0] * len(self.totals), set()))
            failed = r.error is not None
            counts = (1, not failed, failed, r.is_cache_hit, *r.tokens)
            counts += (*(r.parts.get(meter, 0) for meter in METERS), r.web_searches, r.cost or 0)
            for i, n in enumerate(counts):
                sums[i] += n
            prompts.add(r.prompt)

    def close(self, day: int) -> None:
        """Write a day that no more requests can fall on."""
        for key, (sums, prompts) in sorted(self.days.pop(day, {}).items()):
            date_and_counts = (EPOCH + timedelta(day), *key, *sums[:-1], len(prompts))
            self.table.writerow((*date_and_counts, usd(sums[-1])))
            self.totals = [a + b for a, b in zip(self.totals, sums, strict=True)]
            self.users.add(key[1])

    def overall(self) -> dict[str, Any]:
        """End the file, and return the totals of all days."""
        self.file.close()
        return dict(zip(MEASURES, self.totals[:-1], strict=True)) | {
            "prompts": self.prompts,
            "reported_cost_usd": usd(self.totals[-1]),
            "users": len(self.users),
        }


def usd(units: int) -> str:
    """Write money, as text so that it is exact in any reader."""
    return f"{Decimal(units).scaleb(-10):f}"
