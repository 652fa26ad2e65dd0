"""The command that tells what a file would be taken for, and takes nothing in.

It reads with the code that takes files in, in memory alone: for somebody who has a log of their own
and does not know yet whether it is one that is read here.
"""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from orchestration.console import console
from orchestration.files import UnreadableFileError
from orchestration.ingestion.landed_file import LandingFile, check_content, check_time, format_of
from orchestration.ingestion.reading import (
    land_lines,
    land_parquet,
    register_files,
    type_records,
)
from orchestration.ingestion.schema_drift import is_name, unread
from orchestration.ingestion.summary import Summary
from orchestration.settings import UserError
from orchestration.sources import SOURCES, Source
from orchestration.sources.others import KINDS
from orchestration.sources.source import MACROS

_RECORDS = 10_000
_ROWS, _REASONS, _FIELDS = 5, 8, 12
_WIDEST = 30
_CONTRACT = "docs/data_contracts.md says what may land."


def inspect(name: str) -> None:
    """Print which source and format a file is taken for, and what its records would be.

    Raises:
        UserError: there is no such file, or it is nothing that is read here.
    """
    path = Path(name)
    if not name.strip():
        raise UserError("Say which file: make inspect FILE=path/to/your/log.jsonl")
    if not path.exists():
        raise UserError(f"There is no file {name}.")
    if not path.is_file():
        raise UserError(f"{name} is no file: name one of the files in it.")
    looks = [(source, looked) for source in SOURCES if (looked := _look(path, source))]
    if not looks:
        endings = sorted({ending for source in SOURCES for ending in source.formats})
        raise UserError(
            f"{name} is no kind of file that is read here: those end in {', '.join(endings)}, or "
            "in nothing, and in .gz or .zst behind it."
        )
    # What most of it can be read as; of two, what there is least to complain of.
    source, looked = max(looks, key=lambda look: look[1].rank)
    _tell(name, source, looked)


class _Look:
    """What a file is as records of a source."""

    def __init__(self, source: Source, file: LandingFile, connection: duckdb.DuckDBPyConnection):
        land = land_parquet if file.format == ".parquet" else land_lines
        register_files(connection, [file])
        for _, why in land(connection, source, [file], _RECORDS):
            raise UnreadableFileError(why)
        type_records(connection, source, source.query)
        is_good = "reject_reason = ''"

        def count(condition: str) -> int:
            counted = f"select count(*) from typed where {condition}"
            return connection.execute(counted).fetchone()[0]

        self.file = file
        self.requests = count(f"{is_good} and ({source.counted})")
        self.context = count(f"{is_good} and ({source.counted}) is not true")
        self.rejected = connection.execute(
            "select reason, count(*), min(line_number) from rejected group by reason "
            "order by count(*) desc, reason"
        ).fetchall()
        self.others = connection.execute(
            "select kind, records, landing_file from others order by records desc"
        ).fetchall()
        shown = {"time (UTC)": source.time, "id": source.key} | source.shown
        columns = ", ".join(f'{sql} as "{label}"' for label, sql in shown.items())
        rows = connection.execute(
            f"select {columns} from typed where {is_good} and ({source.counted}) "
            f"order by line_number, {source.time} limit {_ROWS}"
        ).fetchall()
        self.rows = [list(shown), *rows]
        names = Counter(name for names in unread(connection, source, file) for name in names)
        self.unread = sorted(name for name in names if is_name(name))

    @property
    def passed_over(self) -> int:
        """Records of other kinds."""
        return sum(records for _, records, _ in self.others)

    @property
    def bad(self) -> int:
        """Records that would be rejected."""
        return sum(records for _, records, _ in self.rejected)

    @property
    def rank(self) -> tuple[int, int, int]:
        return (
            self.requests + self.context,
            sum(records for _, records, _ in self.others),
            -self.bad,
        )


def _look(path: Path, source: Source) -> _Look | None:
    file_format = format_of(path, source)
    if not file_format:
        return None
    try:
        status = path.stat()
        written_at = datetime.fromtimestamp(status.st_mtime, UTC)
        file = LandingFile(path, path.name, file_format, status.st_size, written_at)
        if not file.size_bytes:
            raise UserError(f"{path} is empty.")
        check_time(file)
        check_content(file)
        with duckdb.connect() as connection:
            connection.execute("set TimeZone = 'UTC'")
            connection.execute(MACROS)
            return _Look(source, file, connection)
    except UnreadableFileError as error:
        raise UserError(f"{path} cannot be read: {error}.") from None


def _tell(name: str, source: Source, looked: _Look) -> None:
    good, others = looked.requests + looked.context, looked.passed_over
    records = good + others + looked.bad
    first = "its first " if records >= _RECORDS else ""
    console.print(f"{name}: {first}{records:,} records, read as {looked.file.format[1:]}\n")
    if good:
        titles = {kind.source: kind.name for kind in KINDS}
        title = titles.get(source.name, f"records of {source.name}")
        console.print(f"Taken for {title}: put it into landing/{source.name}/\n")
    elif others:
        console.print("Taken for something that is known, and not read:\n")
    else:
        console.print(f"Not known: nothing in it can be taken in. {_CONTRACT}\n")
    console.print(f"  {looked.requests:>9,}  would be taken in as requests")
    if looked.context:
        console.print(f"  {looked.context:>9,}  would be kept for what they tell of other records")
    for line in Summary(others=looked.others).of_other_kinds():
        console.print(f"  {'':>9}  {_plain(line)}")
    if good or not others:
        _tell_rejected(source, looked)
    if len(looked.rows) > 1:
        console.print("\nThe first requests; - is what is not told:\n")
        _print_table(looked.rows)
    if good and looked.unread:
        more = f" and {len(looked.unread) - _FIELDS:,} more" if looked.unread[_FIELDS:] else ""
        console.print(f"\nFields that are not read: {', '.join(looked.unread[:_FIELDS])}{more}")
    if good:
        console.print(
            "\nWhich of them tell of the same request, and which only add up others, a run decides "
            "with all that has landed. Nothing was taken in."
        )


def _tell_rejected(source: Source, looked: _Look) -> None:
    console.print(f"  {looked.bad:>9,}  would be rejected, and the rest taken in")
    if looked.bad and not looked.requests:
        console.print(f"  {'':>9}  as records of {source.name}, which is nearest:")
    for reason, records, line in looked.rejected[:_REASONS]:
        console.print(f"  {'':>9}  {records:,}: {_plain(reason)}, first in line {line:,}")
    if looked.rejected[_REASONS:]:
        console.print(f"  {'':>9}  and {len(looked.rejected) - _REASONS:,} other reasons")


def _print_table(rows: list) -> None:
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        console.print(f"  {line.rstrip()}")


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    text = f"{value:,}" if isinstance(value, int) else _plain(str(value))
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…"


def _plain(text: str) -> str:
    """Show what a terminal might obey as what it is."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
