"""What is no JSON line of a source is read all the same, or named in a line; nothing is held up."""

import gzip
import json
from pathlib import Path

import duckdb
import pytest
from backports import zstd
from conftest import SHARED, Warehouse
from test_ingestion import (
    CSV_LINE,
    HEADER,
    MEGABYTE,
    batch,
    counts,
    gateway,
    keys,
    ledger,
    litellm,
    otel,
    parquet,
    rows,
    span,
)
from test_schema_drift import land, take_in

from orchestration.ingestion import ingest
from orchestration.sources import SOURCES
from orchestration.sources.others import KINDS, kind_of

SOURCE = {source.name: source for source in SOURCES}
CASES = SHARED / "telemetry_cases"
METRICS = json.dumps({"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"name": "x"}]}]}]})
LOGS = json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": []}]}]})


def framed(*messages: str) -> bytes:
    """As the collector's file exporter compresses: each message by itself, behind its length."""
    compressed = [zstd.compress(message.encode()) for message in messages]
    return b"".join(len(one).to_bytes(4, "big") + one for one in compressed)


# --- JSON that is not a record a line --------------------------------------------------------

RECORDS = [gateway(str(n), note='a "quoted" {brace} [bracket] \\ and é') for n in range(3)]
PRETTY = [json.dumps(json.loads(record), indent=2) for record in RECORDS]
LAYOUTS = {
    "an array in a line": f"[{', '.join(RECORDS)}]",
    "an array, a record a line": "[\n" + ",\n".join(RECORDS) + "\n]\n",
    "an array over many lines": json.dumps([json.loads(r) for r in RECORDS], indent=4),
    "an array with Windows line ends": "[\r\n" + ",\r\n".join(RECORDS) + "\r\n]\r\n",
    "an array behind a byte order mark": f"\ufeff \n [{','.join(RECORDS)}]",
    "arrays, one a line": "\n".join(f"[{record}]" for record in RECORDS),
    "an array of pages": f"[[{RECORDS[0]}], [{RECORDS[1]}, {RECORDS[2]}]]",
    "objects over many lines": "\n".join(PRETTY),
    "objects with a tab before each line": "\n".join(PRETTY).replace("  ", "\t"),
    "objects behind a blank line": "\n\n" + "\n\n".join(PRETTY),
    "one object over lines, and others in a line": "\n".join([PRETTY[0], *RECORDS[1:]]),
    "an object whose first line has fields": PRETTY[0].replace("{\n ", "{", 1)
    + "\n"
    + "\n".join(PRETTY[1:]),
}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("name", ["a.json", "a.jsonl.gz", "a.jsonl.zst", "a"])
def test_json_in_another_layout(warehouse: Warehouse, layout: str, name: str) -> None:
    compress = {"gz": gzip.compress, "zst": zstd.compress}.get(name.split(".")[-1], bytes)
    warehouse.write(f"gateway/{name}", compress(layout.encode()))
    assert counts(warehouse.ingest()["gateway"]) == (1, 3, 3, 0)
    assert keys(warehouse) == ["0", "1", "2"]


BROKEN = {
    "an array without an end": (f"[{gateway('1')},\n{gateway('2')}\n", ["1", "2"], 3),
    "an object without an end": (f"[{gateway('1')},\n{gateway('2')[:-1]}", ["1"], 2),
    "values that are no objects": (f'[1, "a", null,\n{gateway("1")}, 2]', ["1"], 1),
    "brackets that do not match": (f'[{{"a": ]}},\n{gateway("1")}]', ["1"], 1),
    "a first line that is cut": (f'{{"request_id": "r", "a": [\n{gateway("1")}', ["1"], 1),
    "text behind it": (f"[{gateway('1')}]\nthat was all", ["1"], 2),
}


@pytest.mark.parametrize(("text", "kept", "line"), BROKEN.values(), ids=BROKEN)
def test_what_is_broken_in_it_is_named_with_its_line(
    warehouse: Warehouse, text: str, kept: list[str], line: int
) -> None:
    warehouse.write("gateway/a.json", text)
    summary = warehouse.ingest()["gateway"]
    assert keys(warehouse) == kept
    assert [number for _, number, _ in summary.rejections][:1] == [line]
    assert all(why.startswith("the line is ") for _, _, why in summary.rejections)


def test_a_large_array_is_read_bit_by_bit(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestration.ingestion.records._CHUNK_BYTES", 7)
    warehouse.write("gateway/a.json", json.dumps([json.loads(r) for r in RECORDS], indent=1))
    assert counts(warehouse.ingest()["gateway"]) == (1, 3, 3, 0)


def test_an_array_with_a_value_of_65_mb_is_named(warehouse: Warehouse) -> None:
    warehouse.write("gateway/a.json", f"[{gateway('1')}, {gateway('2', x='y' * 65 * MEGABYTE)}]")
    warehouse.write("gateway/b.json", gateway("3"))
    summary = warehouse.ingest()["gateway"]
    assert summary.unreadable == [
        ("gateway/a.json", "a value that begins in line 1 is longer than 64 MB")
    ]
    assert keys(warehouse) == ["3"]


# --- Files that are not what their name says -------------------------------------------------

NAMED = [
    ("a", b"# A text\n", "its name has no ending, and it does not begin like JSON"),
    ("a", f"{HEADER}\n".encode(), "its name has no ending, and it does not begin like JSON"),
    ("a.json", gzip.compress(gateway().encode()), "compressed with gzip: let its name end in .gz"),
    ("a.json", zstd.compress(gateway().encode()), "compressed with zstd: let its name end in .zst"),
    ("a.json", framed(gateway()), "compressed with zstd: let its name end in .zst"),
    ("a.json", gateway().encode("utf-16"), "text in UTF-16: have it written in UTF-8"),
    ("a.csv", b"PK\x03\x04rest", "a ZIP archive, or a spreadsheet"),
    ("a.jsonl", (40).to_bytes(4, "big") + b"\n\x26\n\x24", "binary, perhaps OTLP in protobuf"),
    ("a.jsonl.zst", framed(gateway("1"), gateway("2"))[:-5], "cut short"),
    ("a.jsonl.zst", framed(gateway("1")) + b"\0\0\0\x04rest", "damaged"),
]


@pytest.mark.parametrize(("name", "content", "why"), NAMED, ids=[why for *_, why in NAMED])
def test_a_file_that_is_something_else_is_named(
    warehouse: Warehouse, name: str, content: bytes, why: str
) -> None:
    warehouse.write(f"gateway/{name}", content)
    warehouse.write("gateway/good.json", gateway("good"))
    warehouse.write("gateway/good.csv", f"{HEADER}\ngood,{CSV_LINE}\n")
    summary = warehouse.ingest()["gateway"]
    [(file, said)] = summary.unreadable
    assert file == f"gateway/{name}"
    assert why in said
    assert keys(warehouse) == ["good", "good"]
    assert summary.rejected == 0


def test_the_collectors_compression_is_read(warehouse: Warehouse) -> None:
    messages = [otel("1"), METRICS, batch(span("2"), span("3")), otel("4") + "\n"]
    warehouse.write("otel/a.jsonl.zst", framed(*messages))
    warehouse.write("otel/b.json.zst", zstd.compress(otel("5").encode()))
    summary = warehouse.ingest()["otel"]
    assert counts(summary) == (2, 5, 5, 0)
    assert [records for _, records, _ in summary.others] == [1]
    assert keys(warehouse, "otel") == ["1", "2", "3", "4", "5"]


def test_names_without_an_ending(warehouse: Warehouse) -> None:
    """As LiteLLM writes to a bucket of Google's: by day, and each by the response's id."""
    warehouse.write("litellm/2025-11-01/chatcmpl-1", litellm("1"))
    warehouse.write("litellm/2025-11-01/failure-2", json.dumps(json.loads(litellm("2")), indent=1))
    warehouse.write("litellm/README", "What this is.\n" * 100)
    warehouse.write("litellm/_SUCCESS", "")
    summary = warehouse.ingest()["litellm"]
    assert counts(summary) == (3, 2, 2, 0)
    assert keys(warehouse, "litellm") == ["1", "2"]
    assert [file for file, _ in summary.unreadable] == ["litellm/README"]


# --- Records of other kinds ------------------------------------------------------------------

OTHERS = [
    ("otel", METRICS, "OpenTelemetry's metrics"),
    ("otel", LOGS, "OpenTelemetry's logs"),
    ("otel", json.dumps({"resourceProfiles": [], "dictionary": {}}), "OpenTelemetry's profiles"),
    ("otel", litellm(call_type="acompletion"), "LiteLLM's requests"),
    (
        "otel",
        json.dumps({"name": "chat", "context": {}, "parent_id": None, "start_time": ""}),
        "console",
    ),
    ("otel", json.dumps({"traceID": "1", "spanID": "2", "operationName": "x"}), "Jaeger's spans"),
    ("litellm", otel(), "spans: they belong into landing/otel/"),
    ("litellm", gateway(), "requests in the general format: they belong into landing/gateway/"),
    (
        "litellm",
        json.dumps({"startTime": "2025-11-01", "spend": 1, "models": {}, "users": {}}),
        "by day",
    ),
    (
        "litellm",
        json.dumps({"date": "2025-11-01", "spend": 1, "api_requests": 2, "model": "m"}),
        "by day",
    ),
    ("gateway", otel(), "spans: they belong into landing/otel/"),
    (
        "gateway",
        litellm(call_type="acompletion"),
        "LiteLLM's requests: they belong into landing/litellm/",
    ),
    (
        "gateway",
        json.dumps({"object": "bucket", "start_time": 1, "end_time": 2, "results": []}),
        "OpenAI's",
    ),
    (
        "gateway",
        json.dumps({"starting_at": "", "ending_at": "", "results": []}),
        "Anthropic's usage",
    ),
    ("gateway", json.dumps({"traceId": "1", "usageDetails": {}, "costDetails": {}}), "Langfuse's"),
    (
        "gateway",
        json.dumps({"request_id": "1", "request_created_at": "", "response_id": ""}),
        "Helicone's",
    ),
    (
        "gateway",
        json.dumps({"id": "1", "ai_org": "openai", "ai_model": "m", "req_units": 1}),
        "Portkey's",
    ),
    ("gateway", json.dumps({"parentUuid": None, "sessionId": "s", "uuid": "u"}), "Claude Code's"),
    ("gateway", json.dumps({"object": "page", "data": [], "has_more": False}), "answers of an API"),
]


@pytest.mark.parametrize(("source", "line", "said"), OTHERS)
def test_records_of_another_kind_are_no_bad_records(
    warehouse: Warehouse, source: str, line: str, said: str
) -> None:
    good = {"otel": otel, "litellm": litellm, "gateway": gateway}[source]
    warehouse.write(f"{source}/a.jsonl", "\n".join([line] * 60 + [good("r")]))
    warehouse.write(f"{source}/array.jsonl", f"[{line}]")
    summary = warehouse.ingest()[source]
    assert counts(summary) == (2, 1, 1, 0)
    [told] = summary.of_other_kinds()
    assert told.startswith(
        f"passed over 61 records in {source}/a.jsonl, {source}/array.jsonl, which"
    )
    assert said in told
    assert told in summary.sentence()
    assert summary.new_fields == []
    assert not list(warehouse.raw.glob("rejected/*"))
    # Once.
    assert warehouse.ingest()[source].sentence() == "nothing new"


def test_they_are_in_the_ledger(warehouse: Warehouse) -> None:
    warehouse.write("otel/a.jsonl", f"{METRICS}\n{LOGS}\n{METRICS}\n{otel()}\n{{bad\n")
    warehouse.ingest()
    assert ledger(warehouse) == [("otel/a.jsonl", 2, 1, 1)]
    [(others,)] = duckdb.sql(
        f"select records_of_other_kinds from '{warehouse.raw}/loads/*.parquet'"
    ).fetchall()
    assert others == 3


def test_many_kinds_in_many_files_are_told_in_a_few_lines(warehouse: Warehouse) -> None:
    for number, (_, line, _) in enumerate(one for one in OTHERS if one[0] == "gateway"):
        for copy in range(5):
            warehouse.write(f"gateway/{number}-{copy}.json", line)
    lines = warehouse.ingest()["gateway"].of_other_kinds()
    assert len(lines) == 6
    assert all("and 2 more files, which are" in line for line in lines[:5])
    assert lines[5] == "and records of 4 other kinds"


def test_columns_of_another_kind(warehouse: Warehouse) -> None:
    export = "generation_id,created_at,model_permaslug,tokens_prompt,user"
    warehouse.write("gateway/a.csv", f"{export}\ngen-1,2025-11-01,m,1,u\ngen-2,2025-11-01,m,1,u\n")
    logs = "select 'a' as schemaType, 'b' as modelId, 'c' as operation from range(3)"
    warehouse.write("gateway/a.parquet", parquet(logs))
    warehouse.write("gateway/b.csv", f"{HEADER}\nr,{CSV_LINE}\n")
    summary = warehouse.ingest()["gateway"]
    assert counts(summary) == (3, 1, 1, 0)
    assert [(KINDS[place].name, records) for place, records, _ in summary.others] == [
        ("OpenRouter's export of activity", 2),
        ("Bedrock's invocation log", 3),
    ]


def test_a_record_of_the_source_may_have_any_other_fields(warehouse: Warehouse) -> None:
    everything = {field: "x" for kind in KINDS for field in kind.fields}
    for name, line in (("gateway", gateway), ("litellm", litellm), ("otel", otel)):
        others = {f: x for f, x in everything.items() if f not in SOURCE[name].structure}
        warehouse.write(f"{name}/a.jsonl", json.dumps(others | json.loads(line("r"))))
    for source, summary in warehouse.ingest().items():
        assert (summary.accepted, summary.rejected, summary.others) == (1, 0, []), source


def test_bad_records_are_bad_records_still(warehouse: Warehouse) -> None:
    warehouse.write("gateway/a.jsonl", "\n".join([gateway("r", "requested_at"), '{"id": "r"}']))
    assert counts(warehouse.ingest()["gateway"]) == (1, 2, 0, 2)


def test_what_each_source_has_is_its_own() -> None:
    for kind in KINDS:
        for source in SOURCES:
            found = kind_of(kind.fields, source)
            assert (found is None) == (kind.source == source.name), (kind, source.name)


def test_signals_hold_no_spans_up(warehouse: Warehouse) -> None:
    """One file for all three, on the second night mostly of metrics."""
    land(warehouse, "otel", "traces")
    assert "40 events" in take_in(warehouse, "otel")
    warehouse.write("otel/all.jsonl", "\n".join([METRICS] * 60 + [LOGS] * 60 + [otel("r")]))
    assert take_in(warehouse, "otel").startswith("1 events from 1 new files")


@pytest.mark.parametrize("unit", [1, 10**3, 10**6, 10**9])
def test_any_unit_of_time_since_1970(warehouse: Warehouse, unit: int) -> None:
    warehouse.write("gateway/a.jsonl", gateway("r", requested_at=1762000000 * unit))
    warehouse.write("gateway/a.csv", f"{HEADER}\nr,{1762000000 * unit},p,m\n")
    warehouse.write("litellm/a.jsonl", litellm(startTime=1762000000 * unit))
    warehouse.ingest()
    assert len(set(rows(warehouse, "gateway", "requested_at"))) == 1
    assert (
        rows(warehouse, "gateway", "requested_at")[0] == rows(warehouse, "litellm", "started_at")[0]
    )


@pytest.mark.skipif(not CASES.exists(), reason="needs ../shared/data")
@pytest.mark.parametrize(
    ("case", "accepted", "others"),
    [
        ("31", 2, 0),
        ("32", 3, 0),
        ("40", 0, 2),
        ("42", 0, 1),
        ("43", 0, 1),
        ("44", 0, 1),
        ("70", 3, 0),
        ("71", 1, 0),
        ("73", 41, 60),
    ],
)
def test_cases(warehouse: Warehouse, case: str, accepted: int, others: int) -> None:
    [folder] = CASES.glob(f"{case}-*")
    found = 0, 0, 0
    for night in ("", "2"):
        for name, source in SOURCE.items():
            warehouse.land(*Path(folder).glob(f"{name}{night}/*"), source=name)
            summary = ingest(warehouse.settings, source)
            passed = sum(records for _, records, _ in summary.others)
            found = found[0] + summary.accepted, found[1] + passed, found[2] + summary.rejected
    assert found == (accepted, others, 0)
