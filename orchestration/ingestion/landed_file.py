"""What lies in a landing folder, and how its files are read line by line when they must be."""

import csv
import gzip
import io
import json
import os
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePath
from typing import BinaryIO

from backports import zstd

from orchestration.files import UnreadableFileError
from orchestration.sources import Source

LONGEST_LINE_BYTES = 64 * 1024 * 1024
_CHUNK_BYTES = 1024 * 1024
_COMPRESSIONS = (".gz", ".zst")
csv.field_size_limit(LONGEST_LINE_BYTES)


@dataclass(frozen=True)
class LandingFile:
    """A landed file as it was when the folder was listed; `name` is relative to the folder.

    Of one on object storage `path` is where its copy is while it is loaded, and `tag` the storage's
    own word for its content.
    """

    path: Path
    name: str
    format: str
    size_bytes: int
    modified_at: datetime
    tag: str = ""

    @property
    def state(self) -> tuple[str, int, datetime]:
        """What the ledger knows it by."""
        return self.name, self.size_bytes, self.modified_at


def list_files(landing: Path, source: Source) -> tuple[list[LandingFile], list[str]]:
    """List a source's landed files, oldest first, and the names of files of an unknown kind.

    Hidden files and those that end in .tmp or .part are still being written, and left out.
    """
    files, ignored = [], []
    for folder, folders, names in os.walk(landing / source.name):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            path = Path(folder, name)
            if is_being_written(path):
                continue
            relative = path.relative_to(landing).as_posix()
            kind, status = format_of(path, source), _status(path)
            if not kind or not status:
                ignored.append(relative.encode(errors="replace").decode())
                continue
            modified_at = datetime.fromtimestamp(status.st_mtime, UTC)
            files.append(LandingFile(path, relative, kind, status.st_size, modified_at))
    return sorted(files, key=lambda file: (file.modified_at, file.name)), sorted(ignored)


def is_being_written(path: PurePath) -> bool:
    """Whether a file's name says that it is hidden, or not there as a whole yet."""
    return path.name.startswith(".") or path.suffix in (".tmp", ".part")


def format_of(path: PurePath, source: Source) -> str | None:
    """Return .jsonl, .csv or such of a file that the source takes, compressed or not; or None."""
    bare = path.with_suffix("") if path.suffix in _COMPRESSIONS else path
    return bare.suffix if bare.suffix in source.formats else None


def _status(path: Path) -> os.stat_result | None:
    """Return a regular file's status, and None of anything else: a pipe, a link to nowhere."""
    try:
        str(path).encode()
        status = path.stat()
    except (OSError, UnicodeEncodeError):  # no database takes a name that is not UTF-8
        return None
    return status if stat.S_ISREG(status.st_mode) else None


def check_time(file: LandingFile) -> None:
    """Leave a file alone that was written in times to come: good events would seem to be, too.

    Raises:
        UnreadableFileError: by this machine's clock that is so.
    """
    if file.modified_at > datetime.now(UTC) + timedelta(hours=1):
        raise UnreadableFileError(
            f"it was written in times to come, at {file.modified_at:%Y-%m-%d %H:%M} UTC; is the "
            "clock of this machine right?"
        )


def check_compression(file: LandingFile) -> None:
    """Read a compressed file to its end: DuckDB takes a truncated one for a shorter one.

    Raises:
        UnreadableFileError: the file is cut short, damaged or not compressed at all.
    """
    if file.path.suffix not in _COMPRESSIONS or file.size_bytes == 0:
        return
    with open_file(file.path) as stream:
        while stream.read(_CHUNK_BYTES):
            pass


def read_lines(
    file: LandingFile, source: Source
) -> Iterator[tuple[int, str, None] | tuple[int, None, str]]:
    """Yield (line number from 1, JSON text, None) or (line number, None, what is wrong with it).

    Blank lines are skipped. A row of a CSV file comes as a JSON object of the declared columns.

    Raises:
        UnreadableFileError: see `check_compression`.
    """
    if file.size_bytes == 0:
        return
    with open_file(file.path) as stream:
        yield from (_csv_rows(stream, source) if file.format == ".csv" else _json_lines(stream))


def _json_lines(stream: BinaryIO) -> Iterator[tuple[int, str | None, str | None]]:
    number = 0
    # One byte more than allowed: so a line that is too long shows by having no end.
    while line := stream.readline(LONGEST_LINE_BYTES + 1):
        number += 1
        if len(line) > LONGEST_LINE_BYTES:
            while line and not line.endswith(b"\n"):
                line = stream.readline(LONGEST_LINE_BYTES)
            yield number, None, f"the line is longer than {LONGEST_LINE_BYTES // 1024**2} MB"
            continue
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
        except UnicodeDecodeError:
            yield number, None, "the line is not UTF-8 text"
            continue
        if text:
            yield number, text, None


def _csv_rows(stream: BinaryIO, source: Source) -> Iterator[tuple[int, str | None, str | None]]:
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
            if not wanted:
                yield number, None, "the header has none of the columns that are read"
            if len(wanted) > len(set(wanted)):
                raise UnreadableFileError("the header has a column twice")
        elif len(row) != len(header):
            yield number, None, f"the row has {len(row)} columns, the header has {len(header)}"
        else:
            values = dict(zip(header, row, strict=True))
            record = json.dumps({name: values[name] for name in wanted}, ensure_ascii=False)
            is_text = not any("\udc80" <= character <= "\udcff" for character in record)
            yield (number, record, None) if is_text else (number, None, "the row is not UTF-8 text")


@contextmanager
def open_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file to be read as what it was before it was compressed.

    Raises:
        UnreadableFileError: see `check_compression`.
    """
    opener = {".gz": gzip.open, ".zst": zstd.open}.get(path.suffix, open)
    try:
        with opener(path, "rb") as stream:
            yield stream
    except EOFError:
        raise UnreadableFileError("the compressed file is cut short") from None
    except (gzip.BadGzipFile, zlib.error, zstd.ZstdError) as error:
        raise UnreadableFileError(f"the compressed file is damaged: {error}") from None
    except OSError as error:
        raise UnreadableFileError(error.strerror or str(error)) from None
