"""The records of a landed file, one by one, where DuckDB cannot read it by itself."""

import codecs
import csv
import io
import json
import re
from collections.abc import Iterator
from typing import BinaryIO

from orchestration.files import UnreadableFileError
from orchestration.ingestion.landed_file import LONGEST_LINE_BYTES, LandingFile, open_file
from orchestration.sources import Source
from orchestration.sources.others import kind_of

# A line's number from 1, and the JSON text of a record or what is wrong with it.
Record = tuple[int, str, None] | tuple[int, None, str]

_CHUNK_BYTES = 1024 * 1024
csv.field_size_limit(LONGEST_LINE_BYTES)
# A whole string, a bracket, or the beginning of a string whose end is not there yet.
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|["{}\[\]]', re.DOTALL)
_SPACE = b" \t\r\n,"
_NO_OBJECT = "the line is not a JSON object"


def read_records(file: LandingFile, source: Source, whole: bool = False) -> Iterator[Record]:
    """Yield (line number from 1, JSON text, None) or (line number, None, what is wrong with it).

    Blank lines are skipped. A row of a CSV file comes as a JSON object of the declared columns, or
    of all if it is wanted whole.

    Raises:
        UnreadableFileError: the file cannot be read to its end.
    """
    if file.size_bytes == 0:
        return
    with open_file(file.path) as stream:
        if file.format == ".csv":
            yield from _csv_rows(stream, source, whole)
        else:
            yield from _json_lines(stream)


def _json_lines(stream: BinaryIO) -> Iterator[Record]:
    number = 0
    is_first = True
    # One byte more than allowed: so a line that is too long shows by having no end.
    while line := stream.readline(LONGEST_LINE_BYTES + 1):
        number += 1
        if number == 1:
            line = line.removeprefix(codecs.BOM_UTF8)
        if is_first and line.strip():
            is_first = False
            if line.lstrip().startswith(b"["):
                yield from _json_objects(stream, line, number)
                return
            if line.rstrip().endswith((b"{", b"[", b",")):
                # Of one object a line the next, if it is not blank, would begin with another.
                between, begins = b"", stream.readline(LONGEST_LINE_BYTES)
                while begins and not begins.strip():
                    between, begins = between + begins, stream.readline(LONGEST_LINE_BYTES)
                if not begins.startswith(b"{"):
                    yield from _json_objects(stream, line + between + begins, number)
                    return
                yield from _json_line(line, number)
                number += 1 + between.count(b"\n")
                line = begins
        if len(line) > LONGEST_LINE_BYTES:
            while line and not line.endswith(b"\n"):
                line = stream.readline(LONGEST_LINE_BYTES)
            yield number, None, f"the line is longer than {LONGEST_LINE_BYTES // 1024**2} MB"
            continue
        yield from _json_line(line, number)


def _json_line(line: bytes, number: int) -> Iterator[Record]:
    try:
        # A comma may follow, as in an array.
        text = line.decode().strip().removesuffix(",").strip()
    except UnicodeDecodeError:
        yield number, None, "the line is not UTF-8 text"
    else:
        if text:
            yield number, text, None


def _json_objects(stream: BinaryIO, buffer: bytes, number: int) -> Iterator[Record]:
    """Yield the objects in an array, or one after another, whatever lines they stand on.

    `buffer` has been read of the stream, and begins at line `number`. Beyond the object that is
    under way no more than a chunk is held.
    """
    start = position = depth = arrays = 0
    while True:
        token = _TOKEN.search(buffer, position)
        if not token or token[0] == b'"':
            position = token.start() if token else len(buffer)
            if not depth:
                yield from _between(buffer[start:position], number)
                number += buffer.count(b"\n", start, position)
                start = position
            buffer, position = buffer[start:], position - start
            start = 0
            if len(buffer) > LONGEST_LINE_BYTES:
                raise UnreadableFileError(
                    f"a value that begins in line {number:,} is longer than "
                    f"{LONGEST_LINE_BYTES // 1024**2} MB"
                )
            chunk = stream.read(_CHUNK_BYTES)
            buffer += chunk
            if not chunk:
                break
            continue
        position = token.end()
        opens, closes = token[0] in (b"{", b"["), token[0] in (b"}", b"]")
        if not depth:
            yield from _between(buffer[start : token.start()], number)
            number += buffer.count(b"\n", start, token.start())
            start = token.start()
            if token[0] == b"{":
                depth = 1
                continue
            arrays += (token[0] == b"[") - (token[0] == b"]")
            if not (opens or token[0] == b"]"):
                yield number, None, _NO_OBJECT
        else:
            depth += opens - closes
            if depth:
                continue
            yield from _json_line(buffer[start:position], number)
        number += buffer.count(b"\n", start, position)
        start = position
    if depth:
        yield number, None, "the line is not JSON"
    elif buffer.strip():
        yield number, None, _NO_OBJECT
    elif arrays > 0:
        yield number, None, "the line is in an array that has no end"


def _between(text: bytes, number: int) -> Iterator[Record]:
    """Tell of what stands between objects besides commas."""
    if between := text.strip(_SPACE):
        before = text.partition(between)[0]
        yield number + before.count(b"\n"), None, _NO_OBJECT


def _csv_rows(stream: BinaryIO, source: Source, whole: bool) -> Iterator[Record]:
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="")
    # Strict, or a quote that is never closed makes one good row of all that follows it.
    rows = csv.reader(text, strict=True)
    header: list[str] = []
    while True:
        number = rows.line_num + 1
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            yield number, None, f"the row is not CSV: {error}"
            continue
        if not row:
            continue
        if not header:
            header = [name.strip() for name in row]
            wanted = [name for name in header if name in source.structure]
            other = kind_of(header, source)
            if not wanted and not other:
                yield number, None, "the header has none of the columns that are read"
            if len(wanted) > len(set(wanted)):
                raise UnreadableFileError("the header has a column twice")
        elif len(row) != len(header):
            yield number, None, f"the row has {len(row)} columns, the header has {len(header)}"
        else:
            values = dict(zip(header, row, strict=True))
            # Of what is not read no more than what it is known by.
            kept = dict.fromkeys(header) if other else {name: values[name] for name in wanted}
            record = json.dumps(kept, ensure_ascii=False) if not whole else _all_cells(header, row)
            is_text = not any("\udc80" <= character <= "\udcff" for character in record)
            yield (number, record, None) if is_text else (number, None, "the row is not UTF-8 text")


def _all_cells(header: list[str], row: list[str]) -> str:
    """Write a row as JSON; a column that is not read may be there twice."""
    pairs = zip(header, row, strict=True)
    cells = (f"{json.dumps(name)}: {json.dumps(cell, ensure_ascii=False)}" for name, cell in pairs)
    return "{" + ", ".join(cells) + "}"
