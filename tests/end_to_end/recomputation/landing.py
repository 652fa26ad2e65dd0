"""The landing files, read record by record."""

import csv
import gzip
import io
import json
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from backports import zstd

from recomputation.events import Event, Rejected
from recomputation.gateway import gateway_event
from recomputation.litellm import litellm_event
from recomputation.spans import otel_events, spans_of
from recomputation.values import EPOCH, MICROSECOND, Row, first, moment, required

NOT_READ = {"resourceMetrics", "resourceLogs"}
ZSTD = b"\x28\xb5\x2f\xfd"  # how a compressed file begins


def messages(content: bytes) -> Iterator[str]:
    """What a collector compressed message by message, each behind its length in four bytes."""
    while content:
        end = 4 + int.from_bytes(content[:4], "big")
        yield zstd.decompress(content[4:end]).decode()
        content = content[end:]


def read_text(path: Path) -> str:
    content = path.read_bytes()
    if path.suffix == ".zst" and not content.startswith(ZSTD):
        return "\n".join(messages(content))
    opener = {".gz": gzip.open, ".zst": zstd.open}.get(path.suffix, open)
    with opener(path, "rb") as file:
        return file.read().decode()


def records(path: Path) -> Iterator[Row | None]:
    """The records of a landed file, None for each that is not JSON. Blank lines are no records."""
    content = read_text(path)
    if ".csv" in path.suffixes:
        for row in csv.DictReader(io.StringIO(content)):
            # One that is too short or too long tells nothing that could be relied on.
            yield None if None in row or None in row.values() else row
        return
    try:  # one object or one list over many lines
        whole = json.loads(content, parse_float=Decimal)
    except json.JSONDecodeError:
        pass
    else:
        yield from whole if isinstance(whole, list) else [whole]
        return
    for line in content.splitlines():
        if line.strip():
            try:
                yield json.loads(line, parse_float=Decimal)
            except json.JSONDecodeError:
                yield None


def landed(folder: Path) -> Iterator[tuple[Row, Row | None]]:
    """When and in what each record of a source landed, and the record."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        landed_at = EPOCH + int(path.stat().st_mtime_ns // 1000) * MICROSECOND
        for record in records(path):
            about = {"landed_at": landed_at, "landing_file": path.name, "text": repr(record)}
            yield about, record


def readable(
    source: str, make: Callable[..., Event], about: Row, record: Row | None
) -> Event | Rejected:
    """The event that a record is, or its rejection."""
    try:
        return make(required(record), **about)
    except (ValueError, ArithmeticError):
        at = first(*map((record or {}).get, ("requested_at", "startTime")))
        try:
            return Rejected(source, about["landed_at"], moment(at))
        except (ValueError, ArithmeticError):
            return Rejected(source, about["landed_at"], None)


def read(
    landing: Path, gateways: Iterable[str], kept: Callable[[str, Row, Any], Any] | None = None
) -> Iterator[Event | Rejected]:
    """Every record that landed; of spans, those of GenAI.

    `kept` may say what is kept of a record, of its source, when and in what it landed, and it.
    """
    makers: dict[str, Any] = {"litellm": litellm_event, "gateway": gateway_event}
    for source, make in makers.items():
        for about, record in landed(landing / source):
            yield readable(source, make, about, kept(source, about, record) if kept else record)
    spans = [
        span
        for about, batch in landed(landing / "otel")
        if not NOT_READ & required(batch).keys()
        for span in spans_of(kept("otel", about, batch) if kept else batch, about)
    ]
    yield from otel_events(spans, gateways)
