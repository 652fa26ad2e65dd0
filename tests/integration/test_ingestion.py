"""Whatever lands, the good of it is taken in, the bad is set aside and named, no prompt is kept."""

import csv
import dataclasses
import gzip
import io
import json
import os
import shutil
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from backports import zstd
from conftest import Warehouse

from examples.simulator import simulate
from orchestration.ingestion import ingest
from orchestration.ingestion.expectations import judge_load
from orchestration.ingestion.summary import Summary
from orchestration.settings import UserError
from orchestration.sources import SOURCES

RECORDED = Path("examples/recorded")
MEGABYTE = 1024 * 1024
MARKER = "tell-nobody-this-prompt"
HEADER = "request_id,requested_at,provider,model"
NOON = datetime(2025, 11, 1, 12)
MICROSECOND = NOON.replace(microsecond=1)
SEVEN_HOURS_AHEAD = (datetime.now(UTC) + timedelta(hours=7)).isoformat()


def gateway(request_id: str = "r", *without: str, **fields: object) -> str:
    record = {
        "request_id": request_id,
        "requested_at": "2025-11-01T12:00:00Z",
        "provider": "openai",
        "model": "gpt-4o",
        "input_tokens": 10,
        "output_tokens": 5,
    } | fields
    return json.dumps({name: value for name, value in record.items() if name not in without})


def litellm(request_id: str = "r", *without: str, **fields: object) -> str:
    record = {
        "id": request_id,
        "startTime": 1762000000.5,
        "endTime": 1762000001.5,
        "model": "gpt-4o",
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "metadata": {},
    } | fields
    return json.dumps({name: value for name, value in record.items() if name not in without})


def cached(**usage: object) -> dict:
    return {"metadata": {"usage_object": {"prompt_tokens_details": usage}}}


def span(span_id: str = "r", *without: str, attributes: object = None, **fields: object) -> dict:
    if attributes is None:
        attributes = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o"}
    if isinstance(attributes, dict):
        attributes = [
            {"key": key, "value": {"stringValue": value}} for key, value in attributes.items()
        ]
    record = {
        "traceId": "t",
        "spanId": span_id,
        "startTimeUnixNano": "1762000000000000000",
        "endTimeUnixNano": "1762000001000000000",
        "attributes": attributes,
    } | fields
    return {name: value for name, value in record.items() if name not in without}


def batch(*spans: dict) -> str:
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": list(spans)}]}]})


def otel(span_id: str = "r", *without: str, **fields: object) -> str:
    return batch(span(span_id, *without, **fields))


def tokens(**usage: object) -> dict:
    named = {f"gen_ai.usage.{name}": value for name, value in usage.items()}
    return {"attributes": MODEL | named}


MODEL = {"gen_ai.request.model": "m"}
LINE: dict[str, Callable[..., str]] = {"gateway": gateway, "litellm": litellm, "otel": otel}
KEY = {source.name: source.key for source in SOURCES}


def rows(warehouse: Warehouse, source: str = "gateway", columns: str = "*") -> list[tuple]:
    if not any(warehouse.raw.glob(f"{source}/*/*.parquet")):
        return []
    with duckdb.connect() as connection:
        return connection.execute(
            f"select {columns} from '{warehouse.raw}/{source}/*/*.parquet' order by all"
        ).fetchall()


def keys(warehouse: Warehouse, source: str = "gateway") -> list[str]:
    return [key for (key,) in rows(warehouse, source, KEY[source])]


def rejected(warehouse: Warehouse, columns: str = "*") -> list[tuple]:
    with duckdb.connect() as connection:
        return connection.execute(
            f"select {columns} from '{warehouse.raw}/rejected/*.parquet' order by all"
        ).fetchall()


def ledger(warehouse: Warehouse) -> list[tuple]:
    with duckdb.connect() as connection:
        return connection.execute(
            "select landing_file, events_received, events_accepted, events_rejected "
            f"from '{warehouse.raw}/loads/*.parquet' order by load_id, landing_file"
        ).fetchall()


def counts(summary: Summary) -> tuple[int, int, int, int]:
    return summary.files, summary.received, summary.accepted, summary.rejected


# --- Lines -----------------------------------------------------------------------------------

BAD_LINES = [
    ("gateway", '{"request_id": "r", "model', "the line is not JSON"),
    ("gateway", gateway() + gateway(), "the line is not JSON"),
    ("gateway", b'{"request_id": "\xff\xfe"}', "the line is not UTF-8 text"),
    ("gateway", b"\x00\x01\x02\x03", "the line is not JSON"),
    ("gateway", f"[{gateway()}, {gateway()}]", "the line is not a JSON object"),
    ("gateway", "null", "the line is not a JSON object"),
    ("gateway", '{"model": "a", ' + gateway()[1:], "a field stands twice in the line"),
    ("gateway", gateway("r", "request_id"), "request_id is missing"),
    ("gateway", gateway(request_id="  "), "request_id is missing"),
    ("gateway", gateway("r", "requested_at"), "requested_at is missing"),
    ("gateway", gateway("r", "provider"), "provider is missing"),
    ("gateway", gateway(model=None), "model is missing"),
    ("gateway", gateway(requested_at="yesterday"), "requested_at is not a time"),
    ("gateway", gateway(requested_at="2025-02-30"), "requested_at is not a time"),
    ("gateway", gateway(requested_at="2025-02-03T10:00:00+99:99"), "requested_at is not a time"),
    ("gateway", gateway(requested_at="2025-02-03 10:00:00.5-15"), "requested_at is not a time"),
    ("gateway", gateway(requested_at="2025-02-03T10:00:00+0275"), "requested_at is not a time"),
    ("gateway", gateway(requested_at=99_999_999_999_999), "requested_at is in the future"),
    ("gateway", gateway(requested_at=-9_223_372_036_855), "requested_at is before the year 2000"),
    ("gateway", gateway(requested_at=10**30), "requested_at is not a time"),
    ("gateway", gateway(requested_at=20260302), "requested_at is before the year 2000"),
    ("gateway", gateway(requested_at="infinity"), "requested_at is in the future"),
    ("gateway", gateway(requested_at=SEVEN_HOURS_AHEAD), "requested_at is in the future"),
    ("gateway", gateway(requested_at="1999-12-31"), "requested_at is before the year 2000"),
    ("gateway", gateway(requested_at=0), "requested_at is before the year 2000"),
    ("gateway", gateway(input_tokens=-1), "input_tokens is negative"),
    ("gateway", gateway(input_tokens=10**9 + 1), "input_tokens is absurdly large"),
    ("gateway", gateway(output_tokens=1e25), "output_tokens is absurdly large"),
    ("gateway", gateway(input_tokens="many"), "input_tokens is not a number"),
    ("gateway", gateway(input_tokens=float("nan")), "input_tokens is not a number"),
    ("gateway", gateway(input_tokens=True), "input_tokens is not a number"),
    ("gateway", gateway(input_tokens={"a": 1}), "input_tokens is not a number"),
    ("gateway", gateway(input_tokens=1.5), "input_tokens is not a whole number"),
    (
        "gateway",
        gateway(cache_read_tokens=11),
        "cache tokens exceed input_tokens, which must include them",
    ),
    (
        "gateway",
        gateway(reasoning_tokens=6),
        "reasoning_tokens exceed output_tokens, which must include them",
    ),
    (
        "gateway",
        gateway(cache_write_tokens=5, cache_write_5m_tokens=3, cache_write_1h_tokens=3),
        "cache_write_5m_tokens and cache_write_1h_tokens exceed cache_write_tokens, which must "
        "include them",
    ),
    (
        "gateway",
        gateway(input_audio_tokens=4, input_image_tokens=4, input_video_tokens=3),
        "tokens of audio, images and video exceed input_tokens, which must include them",
    ),
    (
        "gateway",
        gateway(cache_read_tokens=1, input_audio_tokens=5, cache_audio_read_tokens=2),
        "cache_audio_read_tokens exceed input_audio_tokens or cache_read_tokens, which must both "
        "include them",
    ),
    (
        "gateway",
        gateway(output_audio_tokens=4, output_video_tokens=2),
        "tokens of audio, images and video exceed output_tokens, which must include them",
    ),
    ("gateway", gateway(output_image_tokens=-1), "output_image_tokens is negative"),
    ("gateway", gateway(web_searches=1.5), "web_searches is not a whole number"),
    ("gateway", gateway(is_sum_of_calls="both"), "is_sum_of_calls is not true or false"),
    ("gateway", gateway(response_time_ms=-0.5), "response_time_ms is negative"),
    ("gateway", gateway(time_to_first_token_ms=1e300), "time_to_first_token_ms is absurdly large"),
    ("gateway", gateway(cost_usd="free"), "cost_usd is not a number"),
    ("gateway", gateway(cost_usd=1e30), "cost_usd is absurdly large"),
    ("gateway", gateway(status="ok"), "status is neither success nor failure"),
    ("gateway", gateway(is_cache_hit="maybe"), "is_cache_hit is not true or false"),
    ("gateway", gateway(request_id={"id": "r"}), "request_id is not text"),
    ("gateway", gateway(user_id=["u"]), "user_id is not text"),
    ("gateway", gateway(end_user_id={}), "end_user_id is not text"),
    ("gateway", gateway(session_id="s" * 257), "session_id is longer than 256 characters"),
    ("gateway", gateway(prompt_id="é" * 257), "prompt_id is longer than 256 characters"),
    ("gateway", gateway(model="m" * 257), "model is longer than 256 characters"),
    ("gateway", gateway(response_id="a\x00b"), "response_id has control characters"),
    ("gateway", gateway(team_id="a\x7f"), "team_id has control characters"),
    ("gateway", gateway(user_id="Zoë\x9b31m"), "user_id has control characters"),
    ("gateway", gateway(provider="open\nai"), "provider has control characters"),
    ("gateway", gateway(updated_at="later"), "updated_at is not a time"),
    ("gateway", gateway(updated_at=SEVEN_HOURS_AHEAD), "updated_at is in the future"),
    ("gateway", gateway(model="", input_tokens=-1), "model is missing; input_tokens is negative"),
    ("litellm", litellm("r", "id"), "id or request_id is missing"),
    ("litellm", litellm(model="gpt\n4"), "model has control characters"),
    ("litellm", litellm(end_user={"name": "x"}), "end_user is not text"),
    ("litellm", litellm("x" * 257), "id or request_id is longer than 256 characters"),
    ("litellm", litellm(metadata="not JSON"), "metadata is not JSON"),
    ("litellm", litellm(endTime=1761999999), "endTime is before startTime"),
    ("litellm", litellm(prompt_tokens=-1), "prompt_tokens is negative"),
    ("litellm", litellm(**cached(cached_tokens=-1)), "cached_tokens is negative"),
    ("litellm", litellm(**cached(cache_write_tokens="x")), "cache_creation_tokens is not a number"),
    (
        "litellm",
        litellm(metadata=json.dumps({"usage_object": {"cache_read_input_tokens": -1}})),
        "cached_tokens is negative",
    ),
    ("litellm", litellm(**cached(image_tokens=-1)), "image_tokens of the prompt is negative"),
    ("litellm", litellm(response_cost=-1), "response_cost or spend is negative"),
    ("otel", "{}", "there are no resourceSpans with scopeSpans in it"),
    (
        "otel",
        '{"resourceSpans": [{"resource": {}, "instrumentationLibrarySpans": []}]}',
        "there are no resourceSpans with scopeSpans in it",
    ),
    ("otel", '{"resourceSpans": "none"}', "there are no resourceSpans with scopeSpans in it"),
    ("otel", otel("r", "spanId"), "spanId is missing"),
    (
        "otel",
        otel(attributes={"gen_ai.operation.name": "chat"}),
        "gen_ai.request.model is missing",
    ),
    (
        "otel",
        otel(attributes=[{"key": "user.id", "value": {"stringValue": name}} for name in "ab"]),
        "an attribute stands twice",
    ),
    ("otel", otel(endTimeUnixNano="1761999999999999999"), "the span ends before it starts"),
    (
        "otel",
        otel(startTimeUnixNano="now"),
        "startTimeUnixNano is not a number of nanoseconds",
    ),
    ("otel", otel(**tokens(prompt_tokens="-1", input_tokens="1")), "prompt_tokens is negative"),
    ("otel", otel(**tokens(output_tokens="1e30")), "output_tokens is absurdly large"),
    ("otel", otel(**tokens(cache_read_input_tokens="x")), "cache_read tokens is not a number"),
    (
        "otel",
        otel(attributes=MODEL | {"gen_ai.response.time_to_first_chunk": "inf"}),
        "time_to_first_chunk is not a number",
    ),
    (
        "otel",
        otel(attributes=MODEL | {"ai.response.msToFirstChunk": "inf"}),
        "time to the first token is not a number",
    ),
    ("otel", otel(attributes=MODEL | {"operation.cost": "-1"}), "the cost is negative"),
    (  # such a span is kept in each of its days, but is one bad record
        "otel",
        otel("r", "traceId", attributes={"user.id": "u"}, endTimeUnixNano="1762300000000000000"),
        "traceId is missing",
    ),
]


@pytest.mark.parametrize("source", LINE)
def test_a_bad_line_is_set_aside_and_named(warehouse: Warehouse, source: str) -> None:
    good = LINE[source]("good").encode()
    expected = []
    for number, (_, line, reason) in enumerate(bad for bad in BAD_LINES if bad[0] == source):
        bad = line.encode() if isinstance(line, str) else line
        name = f"{source}/{number:02}.jsonl"
        # Blank lines and Windows line ends in between: the number is that of an editor.
        warehouse.write(name, b"\r\n".join([good, b"", b"  ", bad, good]))
        expected.append((source, name, 4, reason))
    summary = warehouse.ingest()[source]
    columns = "source, landing_file, line_number, reason"
    assert rejected(warehouse, columns) == expected
    # Of a line that is not even text, nothing is kept.
    assert rejected(warehouse, "reason, text is null") == sorted(
        (reason, "UTF-8" in reason) for *_, reason in expected
    )
    assert summary.rejections == [bad[1:] for bad in expected[:3]]
    total = len(expected)
    assert counts(summary) == (total, 3 * total, 2 * total, total)
    assert keys(warehouse, source) == ["good"] * 2 * total
    assert ledger(warehouse) == [(name, 3, 2, 1) for _, name, _, _ in expected]
    told = [f"{file} line 4: {reason}" for _, file, _, reason in expected[:3]]
    assert [line.strip() for line in summary.sentence().splitlines()] == [
        f"{2 * total} events from {total} new files, {total} bad records set aside in "
        "raw/rejected:",
        *told,
        f"and {total - 3} more",
    ]


GOOD_LINES = [
    ("gateway", gateway(requested_at="2025-11-01 12:00:00"), "requested_at", NOON),
    ("gateway", gateway(requested_at="2025-11-01T13:00:00+01:00"), "requested_at", NOON),
    ("gateway", gateway(requested_at="2025-11-01T12:00:00.0000000Z"), "requested_at", NOON),
    ("gateway", gateway(requested_at=1761998400), "requested_at", NOON),
    (
        "gateway",
        gateway(requested_at="1761998400.000001"),
        "requested_at",
        MICROSECOND,
    ),
    ("gateway", gateway(requested_at=1761998400_000), "requested_at", NOON),
    ("gateway", gateway(requested_at="1761998400000.001"), "requested_at", MICROSECOND),
    ("gateway", gateway(requested_at="1761998400000001"), "requested_at", MICROSECOND),
    ("gateway", gateway(requested_at=1761998400_000001000), "requested_at", MICROSECOND),
    ("gateway", gateway(requested_at=1.7619984e12), "requested_at", NOON),
    ("litellm", litellm(startTime=1761998400_000), "started_at", NOON),
    ("gateway", gateway(model="no-such-model"), "model", "no-such-model"),
    ("gateway", gateway(provider="nobody's"), "provider", "nobody's"),
    ("gateway", gateway(user_name="'; drop table"), "user_name", "'; drop table"),
    ("gateway", gateway(user_name="<script>"), "user_name", "<script>"),
    ("gateway", gateway(user_name="Zoë 🦊\nno name"), "user_name", "Zoë 🦊"),
    ("gateway", gateway(user_name={"name": "Zoë"}), "user_name", None),
    ("gateway", gateway(error_type="Timeout\r\n  at x"), "error_type", "Timeout"),
    ("gateway", gateway(error_type="é" * 201), "error_type", "é" * 200),
    ("gateway", gateway(error_type=["e"]), "error_type", None),
    ("gateway", gateway(session_id="é" * 256), "session_id", "é" * 256),
    ("gateway", gateway(prompt_id="{a"), "prompt_id", "{a"),
    ("gateway", gateway(response_id="chatcmpl-1"), "response_id", "chatcmpl-1"),
    ("gateway", gateway(updated_at="2025-11-01 13:00:00+01:00"), "updated_at", NOON),
    ("gateway", gateway(end_user_id="e"), "end_user_id", "e"),
    ("gateway", gateway(user_id=12345678901234567890123), "user_id", "12345678901234567890123"),
    ("gateway", gateway(input_tokens="12.0"), "input_tokens", 12),
    ("gateway", gateway(input_tokens=""), "input_tokens", None),
    ("gateway", gateway("r", "input_tokens"), "input_tokens", None),
    ("gateway", gateway(input_tokens=10**9), "input_tokens", 10**9),
    ("gateway", gateway(cost_usd=1e-10), "cost_usd", Decimal("1e-10")),
    ("gateway", gateway(status="Failure"), "status", "failure"),
    ("gateway", gateway(), "status", "success"),
    ("gateway", gateway(is_cache_hit="True"), "is_cache_hit", True),
    ("gateway", "\ufeff" + gateway(), "model", "gpt-4o"),
    ("gateway", gateway(x="y" * 50 * MEGABYTE), "input_tokens", 10),
    ("gateway", gateway(x="y" * (64 * MEGABYTE - 200)), "input_tokens", 10),
    ("litellm", litellm(metadata=None), "prompt_tokens", 10),
    ("litellm", litellm(metadata="{}"), "prompt_tokens", 10),
    ("litellm", litellm(error_information="text"), "error_code", None),
    ("litellm", litellm(**cached(cached_tokens=3)), "cached_tokens", 3),
    ("otel", otel(**tokens(input_tokens="3")), "input_tokens", 3),
    (
        "otel",
        otel(startTimeUnixNano=1761998400000001999),
        "started_at",
        MICROSECOND,
    ),
]


@pytest.mark.parametrize("source", LINE)
@pytest.mark.parametrize("bad", [0, 1], ids=["by DuckDB alone", "line by line"])
def test_a_good_line_is_kept_as_it_is(warehouse: Warehouse, source: str, bad: int) -> None:
    good = [line for line in GOOD_LINES if line[0] == source]
    for number, (_, line, _, _) in enumerate(good):
        warehouse.write(f"{source}/{number:02}.jsonl", line)
    warehouse.write(f"{source}/bad.jsonl", "{bad" * bad)
    assert counts(warehouse.ingest()[source])[2:] == (len(good), bad)
    for number, (_, _, column, value) in enumerate(good):
        name = f"{source}/{number:02}.jsonl"
        found = rows(warehouse, source, f'landing_file, "{column}"')
        assert [found_value for file, found_value in found if file == name] == [value], column


def test_a_line_of_65_mb_is_rejected_and_those_around_it_kept(warehouse: Warehouse) -> None:
    lines = [gateway("1"), gateway("2", x="y" * 65 * MEGABYTE), gateway("3")]
    warehouse.write("gateway/a.jsonl", "\n".join(lines))
    summary = warehouse.ingest()["gateway"]
    assert summary.rejections == [("gateway/a.jsonl", 2, "the line is longer than 64 MB")]
    assert keys(warehouse) == ["1", "3"]


def test_what_is_delivered_twice_is_accepted_twice(warehouse: Warehouse) -> None:
    warehouse.write("gateway/a.jsonl", f"{gateway()}\n{gateway()}\n")
    warehouse.write("gateway/b.jsonl.gz", gzip.compress(gateway().encode()))
    assert counts(warehouse.ingest()["gateway"]) == (2, 3, 3, 0)
    assert keys(warehouse) == ["r"] * 3


def test_more_than_three_bad_records_are_counted(warehouse: Warehouse) -> None:
    warehouse.write("gateway/a.jsonl", "{bad\n" * 1_003)
    sentence = warehouse.ingest()["gateway"].sentence()
    assert "0 events from 1 new files, 1,003 bad records" in sentence
    assert "and 1,000 more" in sentence


# --- Files -----------------------------------------------------------------------------------

RUBBISH = bytes(range(128, 256)) * 40
MANY = "\n".join(gateway(str(number)) for number in range(20_000)).encode()
CSV_LINE = "2025-11-01T12:00:00Z,openai,gpt-4o"


def parquet(query: str) -> bytes:
    path = Path(os.environ["AI_USAGE_HOME"]).parent / "made.parquet"
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'Asia/Kolkata'")
        connection.execute(f"copy ({query}) to '{path}' (format parquet)")
    return path.read_bytes()


UNREADABLE = [
    ("a.jsonl.gz", gzip.compress(MANY)[:-9], "the compressed file is cut short"),
    ("a.csv.gz", gzip.compress(MANY)[:5000], "the compressed file is cut short"),
    ("a.jsonl.zst", zstd.compress(MANY)[:-9], "the compressed file is cut short"),
    ("a.jsonl.gz", RUBBISH, "the compressed file is damaged: Not a gzipped file"),
    ("a.jsonl.gz", gzip.compress(MANY)[:-8] + b"12345678", "the compressed file is damaged: CRC"),
    ("a.jsonl.zst", RUBBISH, "the compressed file is damaged"),
    ("a.parquet", RUBBISH, "not a Parquet file"),
    ("a.parquet", b"", "not a Parquet file"),
    ("a.csv", "model,model\na,b\n", "the header has a column twice"),
]


@pytest.mark.parametrize(("name", "content", "reason"), UNREADABLE)
def test_a_file_that_cannot_be_read_is_named_and_the_others_go_on(
    warehouse: Warehouse, name: str, content: bytes, reason: str
) -> None:
    warehouse.write(f"gateway/{name}", content)
    assert counts(warehouse.ingest()["gateway"]) == (0, 0, 0, 0)  # alone, it makes no load
    kind = name.split(".", 1)[1]
    compress = {"gz": gzip.compress, "zst": zstd.compress}.get(kind.split(".")[-1], bytes)
    good = {
        "j": gateway().encode(),
        "c": f"{HEADER}\nr,{CSV_LINE}\n".encode(),
        "p": parquet("select 'r' as request_id, now() as requested_at, 'p' provider, 'm' model"),
    }[kind[0]]
    warehouse.write(f"gateway/good.{kind}", compress(good))
    summary = warehouse.ingest()["gateway"]
    assert counts(summary) == (1, 1, 1, 0)
    [(file, why)] = summary.unreadable
    assert file == f"gateway/{name}"
    assert why.startswith(reason)
    assert f"gateway/{name} cannot be read and is tried again next time" in summary.sentence()
    assert ledger(warehouse) == [(f"gateway/good.{kind}", 1, 1, 0)]
    assert len(warehouse.ingest()["gateway"].unreadable) == 1  # again and again


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.csv", "a.csv.zst"])
def test_an_empty_file_is_taken_in_once(warehouse: Warehouse, name: str) -> None:
    warehouse.write(f"gateway/{name}", b"")
    assert counts(warehouse.ingest()["gateway"]) == (1, 0, 0, 0)
    assert counts(warehouse.ingest()["gateway"]) == (0, 0, 0, 0)
    assert ledger(warehouse) == [(f"gateway/{name}", 0, 0, 0)]


NO_COLUMNS = "the header has none of the columns that are read"
CSV_FILES = {
    "columns in another order, some missing": (
        "model,provider,unknown,requested_at,request_id\nm,p,?,2025-11-01,r\n",
        [("r", "p", "m", None)],
        [],
    ),
    "quoted newlines, quotes and commas; line numbers": (
        f'{HEADER},user_name\n\nr1,{CSV_LINE},"a\nb, ""c"""\nr2,{CSV_LINE}\nr3,{CSV_LINE},"d\ne"\n'
        f'r4,2025-11-01,,m,"f\ng"\n',
        [("r1", "openai", "gpt-4o", "a"), ("r3", "openai", "gpt-4o", "d")],
        [(5, "the row has 4 columns, the header has 5"), (8, "provider is missing")],
    ),
    "byte order mark and Windows line ends": (
        f"\ufeff{HEADER}\r\nr,{CSV_LINE}\r\n",
        [("r", "openai", "gpt-4o", None)],
        [],
    ),
    "a quote that is never closed": (
        f'{HEADER}\nr1,{CSV_LINE}\nr2,2025-11-01,p,"m\nr3,{CSV_LINE}\n',
        [("r1", "openai", "gpt-4o", None)],
        [(3, "the row is not CSV: unexpected end of data")],
    ),
    "not UTF-8": (
        f"{HEADER}\nr1,{CSV_LINE}\nr2,2025-11-01,p,é\n".encode("latin-1"),
        [("r1", "openai", "gpt-4o", None)],
        [(3, "the row is not UTF-8 text")],
    ),
    "only a header": (f"{HEADER}\n", [], []),
    "without a header": (f"r,{CSV_LINE}\n", [], [(1, NO_COLUMNS)]),
    "binary rubbish": (RUBBISH, [], [(1, NO_COLUMNS)]),
    "semicolons": (f"{HEADER.replace(',', ';')}\n", [], [(1, NO_COLUMNS)]),
    "a required column missing": (
        "request_id,requested_at,provider\nr,2025-11-01,p\n",
        [],
        [(2, "model is missing")],
    ),
    "a field of 65 MB": (
        f"{HEADER},x\nr1,{CSV_LINE},{'y' * 65 * MEGABYTE}\nr2,{CSV_LINE},y\n",
        [("r2", "openai", "gpt-4o", None)],
        [(2, "the row is not CSV: field larger than field limit (67108864)")],
    ),
}


@pytest.mark.parametrize(("content", "kept", "said"), CSV_FILES.values(), ids=CSV_FILES)
def test_csv(warehouse: Warehouse, content: str | bytes, kept: list, said: list) -> None:
    warehouse.write("gateway/a.csv", content)
    summary = warehouse.ingest()["gateway"]
    assert rows(warehouse, columns="request_id, provider, model, user_name") == kept
    assert summary.rejections == [("gateway/a.csv", line, reason) for line, reason in said]
    assert counts(summary) == (1, len(kept) + len(said), len(kept), len(said))


def test_binary_rubbish_as_json_is_so_many_bad_lines(warehouse: Warehouse) -> None:
    warehouse.write("gateway/a.jsonl", b"\n".join([RUBBISH] * 3))
    assert counts(warehouse.ingest()["gateway"]) == (1, 3, 0, 3)


def test_parquet_of_other_types_and_with_columns_missing(warehouse: Warehouse) -> None:
    warehouse.write(
        "gateway/typed.parquet",
        parquet(
            """
            select
                1 as request_id, timestamptz '2025-11-01 17:30:00+05:30' as requested_at,
                'p' as provider, encode('modèle') as model, 12.0::float as input_tokens,
                7::utinyint as output_tokens, true as is_cache_hit, 1.5::decimal(5, 2) as cost_usd,
                'not read' as unknown
            union all
            select 2, timestamptz '2025-11-01', 'p', encode('m'), 'nan'::float, 1, false, 0, ''
            """
        ),
    )
    warehouse.write(
        "gateway/few.parquet",
        parquet(
            "select 'r' as request_id, timestamp '2025-11-01 12:00' as requested_at, "
            "'p' as provider, 'm' as model"
        ),
    )
    summary = warehouse.ingest()["gateway"]
    assert summary.rejections == [("gateway/typed.parquet", 2, "input_tokens is not a number")]
    columns = "request_id, requested_at, model, input_tokens, output_tokens, is_cache_hit, cost_usd"
    assert rows(warehouse, columns=columns) == [
        ("1", NOON, "modèle", 12, 7, True, Decimal("1.5")),
        ("r", NOON, "m", None, None, False, None),
    ]


NAMES = (
    "it's.jsonl",
    "both \" and '.jsonl",
    "a b.jsonl",
    "[ab]*?.jsonl",
    "**.jsonl",
    "{a,b}.jsonl",
    "back\\slash.jsonl",
    "new\nline.jsonl",
    "%20é✓\u200b.jsonl",
    "-- .json",
    "a.b.ndjson",
    "model=not-this-one/year=2025/a.jsonl",
)


def printable(name: str) -> str:
    return name.replace("\n", " ")


@pytest.mark.parametrize("bad", ["", "\n{bad"], ids=["by DuckDB alone", "line by line"])
def test_a_file_may_have_any_name(warehouse: Warehouse, bad: str) -> None:
    for name in NAMES:
        warehouse.write(f"gateway/{name}", gateway(printable(name)) + bad)
    made = parquet("select 'r' as request_id, now() as requested_at, 'p' provider, 'gpt-4o' model")
    for name in NAMES[:4] + NAMES[-1:]:
        warehouse.write(f"gateway/{name.replace('.jsonl', '.parquet')}", made)
    warehouse.ingest()
    found = rows(warehouse, columns="landing_file, request_id, model")
    assert sorted(found) == sorted(
        [(f"gateway/{name}", printable(name), "gpt-4o") for name in NAMES]
        + [
            (f"gateway/{name.replace('.jsonl', '.parquet')}", "r", "gpt-4o")
            for name in NAMES[:4] + NAMES[-1:]
        ]
    )


def test_what_is_not_read_is_ignored_and_named(warehouse: Warehouse) -> None:
    unknown = ["a.JSONL", "a.jsonl.bz2", "a.txt", "a.xlsx", "a.json~"]
    for name in [*unknown, ".a.jsonl", "a.jsonl.tmp", "a.jsonl.gz.part", ".rsync/a.jsonl"]:
        warehouse.write(f"gateway/{name}", gateway())
    warehouse.write("otel/a.csv", "only the general format is read as CSV")
    folder = warehouse.landing / "gateway"
    (folder / "gone.jsonl").symlink_to("/nowhere")
    os.mkfifo(folder / "pipe.jsonl")
    Path(os.fsdecode(os.fsencode(folder / "x") + b"\xff.jsonl")).write_text(gateway())
    (folder / "good.jsonl").write_text(gateway())
    summaries = warehouse.ingest()
    expected = [*unknown, "gone.jsonl", "pipe.jsonl", "x?.jsonl"]
    assert summaries["gateway"].ignored == sorted(f"gateway/{name}" for name in expected)
    assert summaries["otel"].ignored == ["otel/a.csv"]
    assert "gateway/a.txt is ignored: this is no kind of file" in summaries["gateway"].sentence()
    assert rows(warehouse, columns="landing_file") == [("gateway/good.jsonl",)]


# --- Nothing of a prompt is kept -------------------------------------------------------------


def test_no_prompt_is_found_in_anything_that_is_kept(warehouse: Warehouse) -> None:
    long = "a" * 40 + MARKER
    quoting = 'He said "hello there" and then, quite loudly, "goodbye": ' + MARKER
    messages = [{"role": "user", "content": MARKER, MARKER: MARKER}]
    unknown = {"prompt": MARKER, "messages": messages, "response": {"text": MARKER}, MARKER: 1}
    prompts = {
        "gen_ai.request.model": "m",
        "gen_ai.prompt.0.content": MARKER,
        "gen_ai.input.messages": json.dumps(messages),
        "exception.message": MARKER,
    }
    chat = {
        "name": MARKER,
        "status": {"code": 2, "message": MARKER},
        "events": [
            {"name": "exception", "attributes": [{"key": "m", "value": {"stringValue": MARKER}}]}
        ],
    }
    litellm_text = unknown | {"error_str": MARKER, "error_information": {"error_message": MARKER}}
    metadata = {"metadata": {"requester_metadata": {"prompt": MARKER}, "error": {"m": MARKER}}}
    good = {
        "gateway": gateway(
            "good", error_type="e" * 200 + MARKER, user_name=f"n\n{MARKER}", **unknown
        ),
        "litellm": litellm("good", **litellm_text, **metadata),
        "otel": otel("good", attributes=prompts, **chat),
    }
    bad = {
        "gateway": [
            gateway("bad", input_tokens=-1, **unknown),
            gateway("bad", input_tokens=long),
            gateway("bad", status=quoting),
            gateway(request_id={"text": long}),
            gateway("bad", user_id=long * 7),
            gateway("bad", session_id=f"{long}\n"),
            gateway("bad", "model", provider=long),
        ],
        "litellm": [
            litellm("bad", prompt_tokens=-1, **litellm_text, **metadata),
            litellm("bad", metadata=MARKER),
            litellm("bad", "model", startTime=quoting, metadata=json.dumps(metadata)),
        ],
        "otel": [
            otel("bad", "traceId", attributes=prompts, **chat),
            otel("bad", attributes=prompts | {"gen_ai.usage.input_tokens": long}, **chat),
            otel("bad", attributes=[{"key": "user.id", "value": {"stringValue": MARKER}}] * 2),
            json.dumps({"resourceSpan": [MARKER]}),
        ],
    }
    said = []
    for source, line in good.items():
        twice = f'{line[:-1]}, "{next(iter(json.loads(line)))}": "{MARKER}"}}'
        broken = [line[:-1], f"[{line}]", f'"{MARKER}"', MARKER, twice]
        warehouse.write(f"{source}/good.jsonl", line)
        said.append(warehouse.ingest())
        warehouse.write(f"{source}/bad.jsonl", "\n".join([line, *bad[source], *broken]))
    table = f"{HEADER},prompt\nr,{CSV_LINE},{MARKER}\nr,,p,m,{MARKER}\nr,{CSV_LINE},a,{MARKER}\n"
    warehouse.write("gateway/a.csv", f'{table}r,{CSV_LINE},"{MARKER}\n')
    warehouse.write("gateway/header.csv", f"{MARKER},prompt\n{MARKER},{MARKER}\n")
    warehouse.write(
        "gateway/a.parquet",
        parquet(
            f"select id::text as request_id, now() as requested_at, 'p' as provider, 'm' as model,"
            f"'{MARKER}' as prompt, case when id > 1 then '{long}' end as input_tokens "
            "from range(1, 3) as made(id)"
        ),
    )
    said.append(warehouse.ingest())
    assert MARKER not in "".join(summary.sentence() for night in said for summary in night.values())
    sources = [source for (source,) in rejected(warehouse, "source")]
    in_tables = 3 + 2 + 1
    for source, lines in bad.items():
        assert sources.count(source) == len(lines) + 5 + in_tables * (source == "gateway")

    looked_into = 0
    for path in warehouse.home.rglob("*"):
        if warehouse.landing in path.parents or not path.is_file():
            continue
        assert MARKER.encode() not in path.read_bytes(), path
        if path.suffix == ".parquet":
            looked_into += 1
            text = duckdb.sql(f"select cast(made as varchar) from '{path}' as made").fetchall()
            assert MARKER not in str(text), path
    assert looked_into >= 9
    texts = [text for (text,) in rejected(warehouse, "text") if text is not None]
    assert any(text.startswith('fields: "request_id" "requested_at"') for text in texts)
    assert all(json.loads(text) for text in texts if not text.startswith("fields: "))


# --- When a file is read, and how -----------------------------------------------------------


def test_a_truncated_file_is_taken_once_it_is_whole(warehouse: Warehouse) -> None:
    whole = gzip.compress(MANY)
    warehouse.write("gateway/a.jsonl.gz", whole[: len(whole) // 2])
    assert warehouse.ingest()["gateway"].files == 0
    assert rows(warehouse) == []
    warehouse.write("gateway/a.jsonl.gz", whole)
    assert counts(warehouse.ingest()["gateway"]) == (1, 20_000, 20_000, 0)
    assert counts(warehouse.ingest()["gateway"]) == (0, 0, 0, 0)
    assert warehouse.ingest()["gateway"].sentence() == "nothing new"


def test_a_file_of_times_to_come_waits_for_the_clock(warehouse: Warehouse) -> None:
    """Beside a clock that is set back its events would seem to lie in the future, too."""
    path = warehouse.write("gateway/a.jsonl", gateway("r"))
    tomorrow = time.time() + 24 * 3600
    os.utime(path, (tomorrow, tomorrow))
    summary = warehouse.ingest()["gateway"]
    assert counts(summary) == (0, 0, 0, 0)
    assert "is the clock of this machine right?" in summary.sentence()
    os.utime(path)
    assert counts(warehouse.ingest()["gateway"]) == (1, 1, 1, 0)


def test_a_grown_file_is_read_again_whole_and_an_unchanged_one_is_not(warehouse: Warehouse) -> None:
    warehouse.write("gateway/same.jsonl", gateway("same"))
    grows = warehouse.write("gateway/grows.jsonl", gateway("first"))
    assert counts(warehouse.ingest()["gateway"]) == (2, 2, 2, 0)
    before = grows.stat()
    grows.write_text(gateway("first") + "\n" + gateway("second"))
    os.utime(grows, ns=(before.st_atime_ns, before.st_mtime_ns))  # its size alone tells
    assert counts(warehouse.ingest()["gateway"]) == (1, 2, 2, 0)
    assert keys(warehouse) == ["first", "first", "same", "second"]
    os.utime(grows, (1762000000, 1762000000))  # and so does its time
    assert counts(warehouse.ingest()["gateway"]) == (1, 2, 2, 0)
    assert [row[:2] for row in ledger(warehouse)] == [
        ("gateway/grows.jsonl", 1),
        ("gateway/same.jsonl", 1),
        ("gateway/grows.jsonl", 2),
        ("gateway/grows.jsonl", 2),
    ]


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three days of an invented organisation; the gateway's are .csv, .jsonl and .jsonl.zst."""
    landing = tmp_path_factory.mktemp("simulated")
    simulate(landing, truth=None, days=3, users=60, last_day=date(2025, 11, 20))
    return landing


@pytest.fixture(scope="module")
def gateway_lines(simulated: Path) -> str:
    (file,) = simulated.glob("gateway/*.jsonl")
    return file.read_text()


@pytest.mark.parametrize(
    "name",
    [
        "litellm/spend_logs",
        "litellm/standard_logging_payload",
        "otel/genai_spans_v1_30.otlp",
        "otel/genai_spans_latest_experimental.otlp",
        "otel/genai_spans_openllmetry.otlp",
        "gateway/simulated",
    ],
)
def test_both_ways_of_reading_give_the_same_rows(
    warehouse: Warehouse, gateway_lines: str, name: str
) -> None:
    source = name.split("/")[0]
    recorded = RECORDED / f"{name}.jsonl.gz"
    text = gzip.decompress(recorded.read_bytes()).decode() if recorded.exists() else gateway_lines
    found = []
    for lines in (text, f"{text}\n{{bad\n"):
        shutil.rmtree(warehouse.raw, ignore_errors=True)
        path = warehouse.write(f"{source}/a.jsonl", lines)
        os.utime(path, (1762000000, 1762000000))
        assert warehouse.ingest()[source].rejected == len(found)
        # Only reading line by line makes a file of rejected records.
        assert len(list(warehouse.raw.glob("rejected/*.parquet"))) == len(found)
        found.append(rows(warehouse, source))
    assert len(found[0]) >= 80
    assert found[0] == found[1]


def test_every_format_gives_the_same_rows(warehouse: Warehouse, gateway_lines: str) -> None:
    records = [json.loads(line) for line in gateway_lines.splitlines()]
    table = io.StringIO()
    writer = csv.DictWriter(table, list(records[0]))
    writer.writeheader()
    writer.writerows(records)
    plain, flat = gateway_lines.encode(), table.getvalue().encode()
    made = warehouse.write("../made.jsonl", plain)
    contents = {
        "a.jsonl": plain,
        "a.jsonl.gz": gzip.compress(plain),
        "a.jsonl.zst": zstd.compress(plain),
        "a.ndjson": plain,
        "a.csv": flat,
        "a.csv.gz": gzip.compress(flat),
        "a.csv.zst": zstd.compress(flat),
        "a.parquet": parquet(f"from read_json('{made}')"),
    }
    for name, content in contents.items():
        warehouse.write(f"gateway/{name}", content)
    total = len(records) * len(contents)
    assert counts(warehouse.ingest()["gateway"]) == (len(contents), total, total, 0)
    expected: list[tuple] = []
    for name in contents:
        found = [
            row
            for *row, file in rows(
                warehouse, columns="* exclude (landing_file, landed_at), landing_file"
            )
            if file == f"gateway/{name}"
        ]
        expected = expected or found
        assert len(found) == len(records) > 50
        assert found == expected, name


# --- Great Expectations ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "value", "expectation"),
    [
        ("events_without_key", 1, "expect_column_values_to_be_in_set"),
        ("last_event_at", datetime(2999, 1, 1), "expect_column_values_to_be_between"),
        ("first_event_at", datetime(1999, 1, 1), "expect_column_values_to_be_between"),
        ("fewest_tokens", -1, "expect_column_values_to_be_between"),
        ("most_tokens", 10**9 + 1, "expect_column_values_to_be_between"),
        ("landed_at", None, "expect_column_values_to_not_be_null"),
        ("landing_file", "twice", "expect_column_values_to_be_unique"),
    ],
)
def test_a_faulty_load_is_blocked_and_the_expectation_named(
    tmp_path: Path, column: str, value: object, expectation: str
) -> None:
    good = {
        "landing_file": ["once", "twice"],
        "landed_at": [NOON] * 2,
        "events_without_key": [0] * 2,
        "first_event_at": [NOON] * 2,
        "last_event_at": [NOON] * 2,
        "fewest_tokens": [0] * 2,
        "most_tokens": [10] * 2,
    }
    judge_load(pd.DataFrame(good), "good", tmp_path / "good.json")
    bad = good | {column: [value, good[column][1]]}
    with pytest.raises(UserError, match=f"load bad .* {expectation} on {column}"):
        judge_load(pd.DataFrame(bad), "bad", tmp_path / "bad.json")
    assert json.loads((tmp_path / "good.json").read_text())["success"] is True
    assert json.loads((tmp_path / "bad.json").read_text())["success"] is False


def test_every_load_leaves_its_judgement(warehouse: Warehouse) -> None:
    for source, line in LINE.items():
        warehouse.write(f"{source}/a.jsonl", line())
    warehouse.write("gateway/a.csv", f"{HEADER}\nr,{CSV_LINE}\n")
    warehouse.ingest()
    loads = {path.stem for path in warehouse.raw.glob("loads/*.parquet")}
    judged = {path.stem: path for path in warehouse.raw.glob("validations/*.json")}
    assert len(loads) == 4
    assert judged.keys() == loads
    for path in judged.values():
        result = json.loads(path.read_text())
        assert result["success"] is True
        assert result["statistics"]["evaluated_expectations"] == 7


def test_a_blocked_load_leaves_nothing(warehouse: Warehouse) -> None:
    warehouse.write("gateway/a.jsonl", gateway() + "\n{bad")
    (source,) = (source for source in SOURCES if source.name == "gateway")
    faulty = dataclasses.replace(source, key="session_id")
    with pytest.raises(UserError, match="events_without_key"):
        ingest(warehouse.settings, faulty)
    assert [p for p in warehouse.raw.rglob("*") if p.is_file() and ".loading" not in p.parts] == []
    assert counts(warehouse.ingest()["gateway"]) == (1, 2, 1, 1)


# --- Loads -----------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [0, 1], ids=["by DuckDB alone", "line by line"])
def test_many_small_files_make_few_large_ones(warehouse: Warehouse, bad: int) -> None:
    for number in range(3_000):
        warehouse.write(f"gateway/{number}.jsonl", gateway(str(number)))
    warehouse.write("gateway/bad.jsonl", "{bad" * bad)
    started = time.monotonic()
    assert counts(warehouse.ingest()["gateway"]) == (3_001, 3_000 + bad, 3_000, bad)
    assert time.monotonic() - started < 15
    assert len(list(warehouse.raw.glob("gateway/*/*.parquet"))) <= 4
    assert len(list(warehouse.raw.rglob("*.parquet"))) <= 6
    assert len(ledger(warehouse)) == 3_001


def test_what_a_crash_left_is_removed_and_loaded_again(warehouse: Warehouse) -> None:
    warehouse.write("gateway/before.jsonl", gateway("before"))
    warehouse.ingest()
    # Killed between moving the events into place and writing the ledger.
    warehouse.write("gateway/after.jsonl", gateway("after") + "\n{bad")
    warehouse.ingest()
    last = max(warehouse.raw.glob("loads/*.parquet"))
    last.unlink()
    half = warehouse.raw / ".loading" / last.stem / "events/half.parquet"
    half.parent.mkdir(parents=True)
    half.write_bytes(b"PAR1")
    other_day = warehouse.raw / "otel" / "event_date=2025-01-01" / f"{last.stem}_0.parquet"
    other_day.parent.mkdir(parents=True)
    other_day.write_bytes(b"PAR1")
    assert keys(warehouse) == ["after", "before"]

    assert counts(warehouse.ingest()["gateway"]) == (1, 2, 1, 1)
    assert keys(warehouse) == ["after", "before"]
    assert not list(warehouse.raw.rglob(f"{last.stem}*"))
    assert not half.exists()
    assert len(rejected(warehouse)) == 1
    assert len(list(warehouse.raw.glob("validations/*.json"))) == 2
