"""Whatever a record holds, the worst is that it is set aside; nothing hangs on its neighbours."""

import contextlib
import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
from conftest import Warehouse
from test_ingestion import LINE, gateway, keys, litellm, otel, rejected

from orchestration.ingestion import reading
from orchestration.ingestion.landed_file import LandingFile
from orchestration.sources import SOURCES, Source
from orchestration.sources.source import MACROS

pytestmark = pytest.mark.slow

SEED = 20260201
LEAST, MOST = -(2**63), 2**63 - 1
# Values that some library, database or language has stumbled over.
VALUES = (
    *(LEAST, MOST, 2**64, 1e308, -1e308, 10**400, "9" * 400, "1e400", "-0", "NaN", "-Infinity"),
    *(str(LEAST), str(MOST), "290000-01-01T00:00:00Z", "294247-01-10T04:00:54.775806Z", "infinity"),
    *("290308-12-21 (BC)", "0001-01-01", "", " ", "null", "true", True, False, None, 12.5, "0x10"),
    *([], {}, [[]], {"a": 1}, [None], {"key": {"value": {}}}, ["x"] * 3),
    *("\x00", "a\x00b", "a\x01b", "a\x1bb", "a\x7fb", "a\x85b", "a\u2028b", "a\u2029b", "\ufeffa"),
    *("\u202eevil", "\u200b", "\ufffe", "e\u0301", "\U0001f600", "'; drop table x", "{{ x }}"),
    *("</script>", "{", "[", '"', "\\", "*", "(", "x" * 100_000, "[" * 2_000, "../../etc", "%s"),
)
# Texts that no JSON library writes.
RAW = (
    *("NaN", "Infinity", "-Infinity", "1e400", "01", "0x10", "1" * 500, "'x'", "x", "", "[1,]"),
    *('"\\ud800"', '"\\udc00\\ud800"', '"\\u0000"', '"\x01"', '"\t"', '"\\x"', '"', '"a', "{,}"),
    *("[" * 20_000, "[" * 20_000 + "]" * 20_000, '{"a":' * 5_000 + "1" + "}" * 5_000),
    *("/* x */ 1", "tru", "--1"),
)
AROUND = (
    *("{}", "  {}  ", "{},", "{}{}", "{} x", "\ufeff{}", "\x0b{}", "\xa0{}", "{}\r", "{}\x00"),
    *("null", "12", '"x"', "{{}}", "{}]", "\u2028{}"),
)


def odd_records(source: Source, number: int) -> Iterator[bytes]:
    """A field of a good one is changed, or stands twice, or the text around it is another."""
    chance = random.Random(f"{SEED} {source.name}")
    for place in range(number):
        record = LINE[source.name](f"odd {place}")
        if place % 6 < 3:
            changed = json.loads(record)
            where, name = chance.choice(list(spots(changed)))
            if where is changed and place % 2:
                name = chance.choice([*source.structure, "zz"])
            where[name] = chance.choice(VALUES) if place % 6 else "@"
            record = json.dumps(changed, ensure_ascii=bool(place % 2))
            record = record.replace('"@"', chance.choice(RAW))
        elif place % 6 == 3:
            name = chance.choice(
                [chance.choice(list(source.structure)), "zz", "z\\u0000", "\\u007a"]
            )
            value, other = (chance.choice(['"x"', "1", "null", "{}"]) for _ in range(2))
            record = f'{record[:-1]}, "{name}": {value}, "{name}": {other}}}'
        elif place % 6 == 4:
            record = chance.choice(AROUND).replace("{}", record)
        else:
            record = chance.choice([record[: chance.randrange(1, 40)], record + record[:9]])
        odd = record.replace("\n", " ").encode("utf-8", "surrogatepass")
        if place % 12 == 5:
            odd = odd.replace(b"odd", chance.choice([b"\xff", b"\xc0\x80", b"\xed\xa0\x80"]))
        yield odd


def spots(value: object) -> Iterator[tuple]:
    """Every place in a record where something may stand."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for name, inner in list(items):
        yield value, name
        if isinstance(inner, dict | list):
            yield from spots(inner)


class Reader:
    """Reads files of records as a load does, on one connection."""

    def __init__(self, source: Source, folder: Path) -> None:
        self.source, self.path = source, folder / "x.jsonl"
        self.connection = duckdb.connect()
        self.connection.execute("set TimeZone = 'UTC'")
        # Most of the time goes into optimizing queries that read a line each.
        self.connection.execute("pragma disable_optimizer")
        self.connection.execute(MACROS)
        columns = "columns(* exclude (landing_file, line_number, reject_text))::varchar"
        self.good = f"select line_number, {columns} from typed where reject_reason = ''"

    def read(self, *lines: bytes) -> tuple[bool, list[tuple[int | None, str]]]:
        """Whether DuckDB read it by itself; and a line's number with its row, or why it is bad."""
        self.path.write_bytes(b"\n".join(lines) + b"\n")
        landed, size = datetime(2026, 1, 1, tzinfo=UTC), self.path.stat().st_size
        file = LandingFile(self.path, "x.jsonl", ".jsonl", size, landed)
        for name in ("typed", "landed", "failing", "lines", "files", "rejected", "others"):
            self.connection.execute(f"drop table if exists {name}")
        reading.register_files(self.connection, [file])
        with contextlib.suppress(duckdb.Error):
            reading.land_json(self.connection, self.source, [self.path])
            self.connection.execute(f"create temp table typed as {self.source.query}")
            bad = "select count(nullif(reject_reason, '')) from typed"
            if self.connection.execute(bad).fetchone() == (0,):
                return True, self.told(self.good)
        self.connection.execute("drop table if exists typed")
        assert reading.land_lines(self.connection, self.source, [file]) == []
        reading.type_records(self.connection, self.source, self.source.query)
        bad = "select line_number, reason from rejected"
        return False, [*self.told(self.good), *self.told(bad)]

    def told(self, query: str) -> list[tuple[int | None, str]]:
        return [(row[0], repr(row[1:])) for row in self.connection.execute(query).fetchall()]


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_a_record_is_read_alike_alone_and_beside_others(source: Source, tmp_path: Path) -> None:
    """By itself DuckDB reads those that are good; beside a torn one all are read line by line."""
    reader = Reader(source, tmp_path)
    odd = [record for record in odd_records(source, 18) if record.strip()]
    alone = [reader.read(record) for record in odd]
    good = LINE[source.name]("good").encode()
    torn = good[:-5]
    _, beside = reader.read(good, torn, *odd)
    by_line = [[] for _ in odd]
    for number, told in beside:
        if number > 2:
            by_line[number - 3].append(told)
    for record, (_, told), told_beside in zip(odd, alone, by_line, strict=True):
        assert sorted(told_beside) == sorted(one for _, one in told), record[:300]
    # All that DuckDB reads by itself it reads so together, too.
    fast = [(record, told) for record, (is_fast, told) in zip(odd, alone, strict=True) if is_fast]
    assert len(fast) > 2
    is_fast, together = reader.read(*(record for record, _ in fast))
    assert is_fast
    assert sorted(together) == sorted(one for _, told in fast for one in told)


@pytest.mark.parametrize("first", [b'{"request_id": "torn",', b'{"request_id": "torn", "a": ['])
def test_a_torn_first_line_takes_none_with_it(warehouse: Warehouse, first: bytes) -> None:
    """Not even where a blank line follows: it is no object over several lines."""
    lines = [first, b"", gateway("a").encode() + b",", gateway("b").encode()]
    warehouse.write("gateway/x.jsonl", b"\n".join(lines))
    warehouse.ingest()
    assert keys(warehouse) == ["a", "b"]
    assert rejected(warehouse, "line_number, reason") == [(1, "the line is not JSON")]


def test_a_record_without_its_marks_is_what_it_is_alone_and_beside_others(
    warehouse: Warehouse,
) -> None:
    """What another product tells is passed over, though as a request it would have all it needs."""
    other = litellm("other", "model", usageDetails={}, costDetails={})
    for name, lines in (("alone", [other]), ("beside", [litellm("r"), other, "{torn"])):
        warehouse.write(f"litellm/{name}.jsonl", "\n".join(lines))
        summary = warehouse.ingest()["litellm"]
        assert [records for _, records, _ in summary.others] == [1]
    assert keys(warehouse, "litellm") == ["r"]


def test_a_record_on_which_the_query_fails_is_set_aside(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever fails in it: here 64 bits, and a cast."""
    failing = "abs(cast(user_id as tinyint)) + input_tokens::bigint * 4000000000000000000"
    query = Source.query.fget

    def failing_query(source: Source) -> str:
        where = f"from landing where coalesce({failing}, 0) >= 0"
        return query(source).replace("from landing", where)

    monkeypatch.setattr(Source, "query", property(failing_query))
    lines = [gateway(f"r{n}", user_id="1", input_tokens=1 + 9 * (n == 70)) for n in range(99)]
    lines[30] = gateway("r30", user_id="tell-nobody-this-prompt", input_tokens=1)
    warehouse.write("gateway/x.jsonl", "\n".join(lines))
    warehouse.ingest()
    assert len(keys(warehouse)) == 97
    assert rejected(warehouse, "line_number, reason, text") == [
        (31, "a value in it is out of range", None),
        (71, "a value in it is out of range", None),
    ]


def test_a_night_with_hostile_records_publishes_the_good_ones(warehouse: Warehouse) -> None:
    """In every field of every source, page and pictures of it included."""
    for source in SOURCES:
        odd = [*odd_records(source, 300), *with_hostile_names(source)]
        warehouse.write(f"{source.name}/hostile.jsonl", b"\n".join(odd))
        good = [LINE[source.name](f"good {place}") for place in range(3)]
        warehouse.write(f"{source.name}/good.jsonl", "\n".join(good))
    done = warehouse.ingest()
    warehouse.build()
    warehouse.publish(page=True)
    for source in SOURCES:
        assert {f"good {place}" for place in range(3)} <= set(keys(warehouse, source.name))
        assert done[source.name].rejected > 50
        assert done[source.name].unreadable == []
    told = rejected(warehouse, "count(*), count(reason), count(line_number), count(landing_file)")
    assert len(set(told[0])) == 1
    (counted,) = warehouse.published("select sum(events_rejected) from technical.data_quality")
    assert counted[0] == told[0][0]
    assert (warehouse.home / "published/page/index.html").exists()


def with_hostile_names(source: Source) -> Iterator[bytes]:
    """Good records as far as ingestion knows, of people and models with names of all kinds."""
    for place, name in enumerate(value for value in VALUES if isinstance(value, str)):
        if source.name == "otel":
            attributes = {"gen_ai.request.model": name, "user.id": name, "session.id": name}
            record = otel(f"named {place}", attributes=attributes)
        elif source.name == "litellm":
            record = litellm(f"named {place}", model=name, user=name, custom_llm_provider=name)
        else:
            record = gateway(f"named {place}", user_id=name, model=name, provider=name)
        yield record.encode()
