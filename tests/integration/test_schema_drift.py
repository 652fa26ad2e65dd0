"""Gateways change their records: what is new is named once, what is lost stops that source only."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from conftest import Warehouse
from test_ingestion import batch, gateway, keys, ledger, litellm, rejected, span

from orchestration.ingestion import ingest
from orchestration.settings import UserError
from orchestration.sources import SOURCES

MANY = 40
SOURCE = {source.name: source for source in SOURCES}
USAGE = {"gen_ai.usage.input_tokens": "10", "gen_ai.usage.output_tokens": "5"}
MODEL = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"}


def otel(span_id: str, *without: str, attributes: dict | None = None, **fields: object) -> str:
    kept = {k: v for k, v in (MODEL | USAGE | (attributes or {})).items() if k not in without}
    return batch(span(span_id, *without, attributes=kept, **fields))


def payload(request_id: str, *without: str, **fields: object) -> str:
    usage = {"metadata": {"usage_object": {"total_tokens": 15}}, "end_user": "u"}
    return litellm(request_id, *without, **(usage | fields))


LINE: dict[str, Callable[..., str]] = {"gateway": gateway, "litellm": payload, "otel": otel}


def lines(source: str, name: str, *without: str, count: int = MANY, **fields: object) -> str:
    return "\n".join(LINE[source](f"{name}-{n}", *without, **fields) for n in range(count))


def land(warehouse: Warehouse, source: str, name: str, *without: str, **fields: object) -> Path:
    return warehouse.write(f"{source}/{name}.jsonl", lines(source, name, *without, **fields))


def take_in(warehouse: Warehouse, source: str) -> str:
    return ingest(warehouse.settings, SOURCE[source]).sentence()


def files_in_raw(warehouse: Warehouse) -> set[Path]:
    everything = warehouse.raw.rglob("*")
    return {p for p in everything if p.is_file() and ".loading" not in p.parts}


# --- New fields ------------------------------------------------------------------------------


def test_new_fields_are_named_once_and_nothing_of_what_they_hold(warehouse: Warehouse) -> None:
    hidden = "tell_nobody"
    inner = {"messages": [{hidden: hidden}], "trace": {hidden: {hidden: 1}}}
    land(warehouse, "gateway", "a", **inner)
    assert "named this once: messages, trace\n" in take_in(warehouse, "gateway") + "\n"
    land(warehouse, "gateway", "b", **inner)
    assert "named" not in take_in(warehouse, "gateway")
    # One is new among those that were named.
    land(warehouse, "gateway", "c", **inner, zone="eu")
    assert take_in(warehouse, "gateway").endswith("named this once: zone")

    land(warehouse, "litellm", "a", error_information={"retries": hidden}, metadata={hidden: {}})
    assert take_in(warehouse, "litellm").endswith("named this once: error_information.retries")
    attributes = {"gen_ai.usage.audio_tokens": "3", f"gen_ai.prompt.{hidden}": hidden}
    land(warehouse, "otel", "a", attributes=attributes, kind=3)
    assert take_in(warehouse, "otel").endswith(
        "named this once: gen_ai.usage.audio_tokens, resourceSpans.scopeSpans.spans.kind"
    )
    for path in files_in_raw(warehouse):
        assert hidden.encode() not in path.read_bytes(), path
        if path.suffix == ".parquet":
            assert hidden not in str(duckdb.sql(f"from '{path}'").fetchall()), path


def test_new_columns_of_tables_are_named_too(warehouse: Warehouse) -> None:
    head = "request_id,requested_at,provider,model"
    row = "r,2025-11-01,p,m"
    warehouse.write("gateway/a.csv", f"{head},Total Cost,total_cost\n{row},1,1\n")
    assert take_in(warehouse, "gateway").endswith("named this once: total_cost")
    made = warehouse.write("../made.parquet", b"")
    duckdb.sql(f"copy (select 'r' as request_id, 1 as total_cost, 2 as zone) to '{made}'")
    warehouse.write("gateway/a.parquet", made.read_bytes())
    assert take_in(warehouse, "gateway").endswith("named this once: zone")


@pytest.mark.parametrize(
    "name", ["two words", "anna@example.com", "<b>bold</b>", "[red]", "x" * 61, "", "a\nb", "é"]
)
def test_what_is_no_name_is_not_named(warehouse: Warehouse, name: str) -> None:
    land(warehouse, "gateway", "a", **{name: 1})
    assert "named" not in take_in(warehouse, "gateway")


def test_keys_that_are_data_are_not_named(warehouse: Warehouse) -> None:
    each_its_own = [gateway(f"r{n}", **{f"user{n}": 1}) for n in range(MANY)]
    warehouse.write("gateway/a.jsonl", "\n".join(each_its_own))
    assert "named" not in take_in(warehouse, "gateway")


def test_of_many_new_fields_a_few_are_told(warehouse: Warehouse) -> None:
    for name in ("a", "b"):
        land(warehouse, "gateway", name, **{f"field{n}": n for n in range(500)})
        assert take_in(warehouse, "gateway").endswith(" and 38 more")


# --- Lost fields -----------------------------------------------------------------------------

CHANGED = [
    ("gateway", ["model"], {}, "model is missing"),
    ("gateway", [], {"model": {"name": "gpt-4o"}}, "model is not text"),
    ("gateway", [], {"request_id": ["r"]}, "request_id is not text"),
    ("gateway", [], {"user_id": {"id": "u"}}, "user_id is not text"),
    ("gateway", [], {"requested_at": "tomorrow"}, "requested_at is not a time"),
    ("gateway", [], {"input_tokens": {"text": 10}}, "input_tokens is not a number"),
    ("litellm", ["startTime"], {}, "startTime is missing"),
    ("litellm", [], {"model": ["gpt-4o"]}, "model is not text"),
    ("otel", ["gen_ai.request.model", *USAGE], {}, "gen_ai.request.model is missing"),
    ("otel", ["spanId"], {}, "spanId is missing"),
]


@pytest.mark.parametrize("has_history", [False, True])
@pytest.mark.parametrize(("source", "without", "fields", "reason"), CHANGED)
def test_a_field_that_every_event_must_have(
    warehouse: Warehouse,
    source: str,
    without: list[str],
    fields: dict,
    reason: str,
    has_history: bool,
) -> None:
    if has_history:
        land(warehouse, source, "before")
        take_in(warehouse, source)
    kept = files_in_raw(warehouse)
    line = json.dumps(json.loads(LINE[source]("r", *without)) | fields)
    changed = warehouse.write(f"{source}/changed.jsonl", "\n".join([line] * MANY))
    land(warehouse, source, "good", count=2)
    for _ in range(2):
        with pytest.raises(UserError) as stopped:
            take_in(warehouse, source)
        said = str(stopped.value)
        assert f"{reason} in 40 of 42 events, in {source}/changed.jsonl (" in said
        assert ("no load before had it right" in said) == (not has_history)
        assert "AI_USAGE_ACCEPT_CHANGES=1" in said
        assert files_in_raw(warehouse) == kept
    # The others do not mind.
    for other in SOURCE.keys() - {source}:
        land(warehouse, other, "good")
        assert take_in(warehouse, other).startswith(f"{MANY} events from 1 new files")
    # Once it is mended, all of it is taken in.
    changed.write_text(lines(source, "mended"))
    assert take_in(warehouse, source).startswith("42 events from 2 new files")


NEEDED = [
    ("gateway", ["input_tokens"], {}, "input_tokens"),
    ("gateway", ["output_tokens"], {"completion_tokens": 5}, "output_tokens"),
    ("gateway", [], {"user": {"id": "u"}, "user_id": None}, "user_id"),
    ("gateway", ["session_id"], {}, "session_id"),
    ("gateway", ["response_time_ms"], {"response_time_s": 1}, "response_time_ms"),
    ("litellm", ["completion_tokens"], {}, "completion_tokens"),
    ("litellm", ["end_user"], {}, "user"),
    ("litellm", [], {"metadata": {"usage": {"total_tokens": 15}}}, "metadata.usage_object"),
    ("otel", ["gen_ai.usage.input_tokens"], {}, "gen_ai.usage.input_tokens"),
    ("otel", ["gen_ai.request.model"], {}, "gen_ai.request.model"),
]
OPTIONAL = {"user_id": "u", "session_id": "s", "response_time_ms": 10}


def optional(source: str) -> dict:
    return OPTIONAL if source == "gateway" else {}


@pytest.mark.parametrize(("source", "without", "fields", "field"), NEEDED)
def test_a_field_that_was_always_there(
    warehouse: Warehouse,
    monkeypatch: pytest.MonkeyPatch,
    source: str,
    without: list[str],
    fields: dict,
    field: str,
) -> None:
    # Without history nobody can tell that it should be there.
    land(warehouse, source, "never", *without, **(optional(source) | fields))
    assert "40 events" in take_in(warehouse, source)
    for night in ("a", "b", "c"):
        land(warehouse, source, night, **optional(source))
        take_in(warehouse, source)
    kept = files_in_raw(warehouse)
    land(warehouse, source, "lost", *without, **(optional(source) | fields))
    with pytest.raises(UserError) as stopped:
        take_in(warehouse, source)
    said = str(stopped.value)
    assert f": {field} is missing in 40 of 40 events, in {source}/lost.jsonl (in loads" in said
    assert files_in_raw(warehouse) == kept
    # It is accepted once, and not asked again.
    monkeypatch.setenv("AI_USAGE_ACCEPT_CHANGES", "1")
    assert "40 events" in take_in(warehouse, source)
    monkeypatch.delenv("AI_USAGE_ACCEPT_CHANGES")
    land(warehouse, source, "lost2", *without, **(optional(source) | fields))
    assert "40 events" in take_in(warehouse, source)


def test_a_field_that_goes_in_the_middle_of_a_load(warehouse: Warehouse) -> None:
    for night in ("a", "b", "c"):
        land(warehouse, "gateway", night)
        take_in(warehouse, "gateway")
    half = lines("gateway", "d") + "\n" + lines("gateway", "e", "input_tokens")
    warehouse.write("gateway/half.jsonl", half)
    assert "80 events" in take_in(warehouse, "gateway")
    land(warehouse, "gateway", "lost", "input_tokens")
    with pytest.raises(UserError, match="input_tokens is missing in 40 of 40 events"):
        take_in(warehouse, "gateway")


def test_no_false_alarm(warehouse: Warehouse) -> None:
    """Days of failures, few events, kinds of request that lack the field, and other formats."""
    for night in ("a", "b"):
        for source in SOURCE:
            land(warehouse, source, night)
            take_in(warehouse, source)
    no_tokens = ["input_tokens", "output_tokens"]
    land(warehouse, "gateway", "failures", *no_tokens, status="failure", error_type="timeout")
    land(warehouse, "litellm", "failures", "metadata", "completion_tokens", status="failure")
    failed = {"attributes": {"error.type": "timeout"}}
    land(warehouse, "otel", "failures", *USAGE, **failed)
    for source in SOURCE:
        assert "40 events" in take_in(warehouse, source)
    embeddings = {"attributes": {"gen_ai.operation.name": "embeddings"}}
    land(warehouse, "otel", "embeddings", "gen_ai.usage.output_tokens", **embeddings)
    assert "40 events" in take_in(warehouse, "otel")
    land(warehouse, "gateway", "few", *no_tokens, count=10)
    land(warehouse, "gateway", "bad", "model", count=10)
    assert "10 events from 2 new files, 10 bad records" in take_in(warehouse, "gateway")
    # Of another program, perhaps.
    rows = "".join(f"r{n},2025-11-01,p,m\n" for n in range(MANY))
    warehouse.write("gateway/a.csv", f"request_id,requested_at,provider,model\n{rows}")
    assert "40 events" in take_in(warehouse, "gateway")
    # And a file of anything is set aside line by line, as ever.
    warehouse.write("gateway/log.jsonl", "GET / 200\n" * MANY)
    assert "0 events from 1 new files, 40 bad records" in take_in(warehouse, "gateway")


def test_bad_records_that_were_accepted_are_set_aside(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    land(warehouse, "gateway", "good")
    take_in(warehouse, "gateway")
    land(warehouse, "gateway", "bad", "model")
    monkeypatch.setenv("AI_USAGE_ACCEPT_CHANGES", "1")
    assert "0 events from 1 new files, 40 bad records" in take_in(warehouse, "gateway")
    monkeypatch.delenv("AI_USAGE_ACCEPT_CHANGES")
    land(warehouse, "gateway", "bad2", "model")
    assert "0 events from 1 new files, 40 bad records" in take_in(warehouse, "gateway")
    assert {reason for (reason,) in rejected(warehouse, "reason")} == {"model is missing"}
    # It came back, and goes again: that is a change again.
    land(warehouse, "gateway", "good2")
    take_in(warehouse, "gateway")
    land(warehouse, "gateway", "bad3", "model")
    with pytest.raises(UserError, match="model is missing in 40 of 40 events"):
        take_in(warehouse, "gateway")


def test_a_ledger_of_an_earlier_version(warehouse: Warehouse) -> None:
    land(warehouse, "gateway", "a")
    take_in(warehouse, "gateway")
    (path,) = warehouse.raw.glob("loads/*.parquet")
    old = "select * exclude (events_succeeded, events_with, events_wrong, new_fields)"
    duckdb.sql(f"copy ({old} from '{path}') to '{path}.new' (format parquet)")
    Path(f"{path}.new").replace(path)
    land(warehouse, "gateway", "b", zone="eu")
    assert take_in(warehouse, "gateway").endswith("named this once: zone")
    assert len(ledger(warehouse)) == 2
    assert len(keys(warehouse)) == 2 * MANY


def test_many_files_are_sampled(warehouse: Warehouse) -> None:
    for number in range(1_000):
        warehouse.write(f"gateway/{number:04}.jsonl", gateway(str(number), zone="eu"))
    assert take_in(warehouse, "gateway").endswith("named this once: zone")
    # What is not read through stands further down than anybody looks.
    late = lines("gateway", "late") + "\n" + lines("gateway", "later", zone="a")
    os.utime(warehouse.write("gateway/late.jsonl", late))
    assert "named" not in take_in(warehouse, "gateway")


def test_records_nested_without_end_stop_nothing(warehouse: Warehouse) -> None:
    deep = '{"a":' * 5000 + "1" + "}" * 5000
    line = json.dumps(json.loads(gateway()))[:-1] + f', "deep": {deep}}}'
    warehouse.write("gateway/a.jsonl", f"{line}\n{gateway()}\n")
    assert "events from 1 new files" in take_in(warehouse, "gateway")
