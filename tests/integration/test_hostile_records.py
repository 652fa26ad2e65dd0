"""Whatever a record holds, the worst is that it is set aside; nothing hangs on its neighbours."""

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
from test_ingestion import LINE

from orchestration.ingestion import reading
from orchestration.ingestion.landed_file import LandingFile
from orchestration.sources import SOURCES, Source
from orchestration.sources.source import MACROS

SEED = 20260201
LEAST, MOST = -(2**63), 2**63 - 1
# Values that some library, database or language has stumbled over.
VALUES = (
    *(
        LEAST,
        MOST,
        2**64,
        1e308,
        -1e308,
        10**400,
        "9" * 400,
        "1e400",
        "-0",
        "NaN",
        "-Infinity",
        "0x10",
    ),
    *(str(LEAST), str(MOST), "290000-01-01T00:00:00Z", "294247-01-10T04:00:54.775806Z", "infinity"),
    *("290308-12-21 (BC)", "0001-01-01", "", " ", "null", "true", True, False, None, 12.5, -1),
    *([], {}, [[]], {"a": 1}, [None], {"key": {"value": {}}}, ["x"] * 3),
    *("\x00", "a\x00b", "a\x01b", "a\x1bb", "a\x7fb", "a\x85b", "a\u2028b", "a\u2029b", "\ufeffa"),
    *(
        "\u202eevil",
        "\u200b",
        "\ufffe",
        "e\u0301",
        "\U0001f600",
        "'; drop table x",
        "{{ x }}",
        "%s",
    ),
    *("</script>", "{", "[", '"', "\\", "*", "(", "x" * 100_000, "[" * 2_000, "../../etc"),
)
# Texts that no JSON library writes.
RAW = (
    *(
        "NaN",
        "Infinity",
        "-Infinity",
        "1e400",
        "01",
        "0x10",
        "1" * 500,
        "'x'",
        "x",
        "",
        "[1,]",
        "{,}",
    ),
    *(
        '"\\ud800"',
        '"\\udc00\\ud800"',
        '"\\u0000"',
        '"\x01"',
        '"\t"',
        '"\\x"',
        '"',
        '"a',
        "[" * 20_000,
    ),
    *("[" * 20_000 + "]" * 20_000, '{"a":' * 5_000 + "1" + "}" * 5_000, "/* x */ 1", "tru", "--1"),
)
AROUND = (
    *(
        "{}",
        "  {}  ",
        "{},",
        "{}{}",
        "{} x",
        "[{}]",
        "\ufeff{}",
        "\x0b{}",
        "\xa0{}",
        "{}\r",
        "{}\x00",
    ),
    *("null", "12", '"x"', "[]", "{{}}", "{}]", "\u2028{}"),
)


def texts(source: Source, number: int) -> Iterator[bytes]:
    """Odd records: a field of a good one is changed, or stands twice, or the text around it is."""
    chance = random.Random(f"{SEED} {source.name}")
    for place in range(number):
        record = LINE[source.name](f"odd {place}")
        kind = place % 6
        if kind < 3:
            changed = json.loads(record)
            spot, name = chance.choice([spot for spot in spots(changed)])
            read = (
                list(source.structure)
                if spot is changed
                else ["zz", "attributes", "endTimeUnixNano"]
            )
            name = chance.choice([name, name, *read, "zz"]) if isinstance(spot, dict) else name
            spot[name] = chance.choice(VALUES) if kind else "@raw@"
            record = json.dumps(changed, ensure_ascii=bool(place % 2))
            text = record.replace('"@raw@"', chance.choice(RAW))
        elif kind == 3:
            name = chance.choice([*source.structure, *["zz"] * 9, "z\\u0000z", "\\u007az"])
            value, other = (chance.choice(['"x"', "1", "null", "{}"]) for _ in range(2))
            text = f'{record[:-1]}, "{name}": {value}, "{name}": {other}}}'
        elif kind == 4:
            text = chance.choice(AROUND).replace("{}", record)
        else:
            cut = chance.choice([record[: chance.randrange(len(record))], record + record[:9]])
            text = cut
        yield text.replace("\n", " ").encode("utf-8", "surrogatepass")
        if place % 25 == 0:
            yield record.encode().replace(
                b"odd", chance.choice([b"\xff", b"\xc0\x80", b"\xed\xa0\x80"])
            )


def spots(value: object) -> Iterator[tuple]:
    """Every place in a record where something may stand."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for name, inner in list(items):
        yield value, name
        if isinstance(inner, dict | list):
            yield from spots(inner)


def verdicts(source: Source, folder: Path, *lines: bytes) -> dict[bytes, tuple]:
    """What is made of each line of a file: typed rows, or why it is rejected, or its kind."""
    path = folder / "x.jsonl"
    path.write_bytes(b"\n".join(lines) + b"\n")
    landed = datetime(2026, 1, 1, tzinfo=UTC)
    file = LandingFile(path, "x.jsonl", ".jsonl", path.stat().st_size, landed)
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(MACROS)
        reading.register_files(connection, [file])
        try:
            reading.land_json(connection, source, [path])
            connection.execute(f"create temp table typed as {source.query}")
            bad = "select count(*) from typed where reject_reason <> ''"
            if connection.execute(bad).fetchone() == (0,):
                return rows(connection, source, lines, None)
            connection.execute("drop table typed")
        except duckdb.Error:
            pass
        assert reading.land_lines(connection, source, [file]) == []
        reading.type_records(connection, source, source.query)
        return rows(connection, source, lines, "line_number")


def rows(
    connection: duckdb.DuckDBPyConnection, source: Source, lines: tuple, number: str | None
) -> dict[bytes, tuple]:
    """By line; in a file that DuckDB read by itself all are good, and told apart by their keys."""
    found: dict[bytes, list] = {line: [] for line in lines if line.strip()}
    columns = "columns(* exclude (landing_file, line_number, reject_text))::varchar"
    good = f"select line_number, {source.key}, {columns} from typed where reject_reason = ''"
    for line_number, key, *values in connection.execute(good).fetchall():
        by_key = [line for line in found if f'"{key}"'.encode() in line] or [lines[0]]
        found[lines[line_number - 1] if number else by_key[0]].append(tuple(values))
    if number:
        for line_number, reason in connection.execute(
            "select line_number, reason from rejected"
        ).fetchall():
            found[lines[line_number - 1]].append(reason)
    return {line: sorted(map(repr, told)) for line, told in found.items()}


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_a_record_is_read_alike_alone_and_beside_others(source: Source, tmp_path: Path) -> None:
    """Alone DuckDB may read it by itself; beside a torn one it is read line by line."""
    good = LINE[source.name]("good").encode()
    torn = LINE[source.name]("torn").encode()[:-5]
    for odd in texts(source, 120):
        if odd.lstrip(b"\xef\xbb\xbf \r\x0b").startswith(b"[") or not odd.strip():
            continue  # an array is a file of its own kind
        alone = verdicts(source, tmp_path, odd)[odd]
        beside = verdicts(source, tmp_path, good, odd)
        torn_too = verdicts(source, tmp_path, good, torn, odd, good + b" ")
        assert beside[odd] == alone == torn_too[odd], odd[:300]
        assert torn_too[torn] == ["'the line is not JSON'"]
        expected = verdicts(source, tmp_path, good)[good]
        assert beside[good] == torn_too[good] == torn_too[good + b" "] == expected, odd[:300]
