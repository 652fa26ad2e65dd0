"""What lies in a landing folder, and how its files are opened."""

import codecs
import gzip
import io
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
from orchestration.settings import UserError
from orchestration.sources import Source

LONGEST_LINE_BYTES = 64 * 1024 * 1024
_CHUNK_BYTES = 1024 * 1024
_HEAD_BYTES = 64
_COMPRESSIONS = (".gz", ".zst")
_ZSTD = b"\x28\xb5\x2f\xfd"
_BINARY = {
    b"\x1f\x8b": "it is compressed with gzip: let its name end in .gz",
    _ZSTD: "it is compressed with zstd: let its name end in .zst",
    b"PAR1": "it is Parquet: let its name end in .parquet",
    codecs.BOM_UTF16_LE: "it is text in UTF-16: have it written in UTF-8",
    codecs.BOM_UTF16_BE: "it is text in UTF-16: have it written in UTF-8",
    b"BZh": "it is compressed with bzip2: gzip and zstd are read",
    b"PK\x03\x04": "it is a ZIP archive, or a spreadsheet: unpack it, or save it as CSV",
}


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

    Raises:
        UserError: a folder cannot be looked into.
    """
    files, ignored = [], []
    for folder, folders, names in os.walk(landing / source.name, onerror=_refuse_unless_gone):
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


def _refuse_unless_gone(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise UserError(
            f"{error.filename} cannot be looked into: {error.strerror}. What is in it is not taken "
            "in. Allow it to whom this runs as, and run again."
        ) from None


def is_being_written(path: PurePath) -> bool:
    """Whether a file's name says that it is hidden, or not there as a whole yet."""
    return path.name.startswith(".") or path.suffix in (".tmp", ".part")


def format_of(path: PurePath, source: Source) -> str | None:
    """Return .jsonl, .csv or such of a file that the source takes, compressed or not; or None.

    LiteLLM's objects in a bucket of Google's are JSON, and their names have no ending.
    """
    ending = _ending(path) or ".json"
    return ending if ending in source.formats else None


def _ending(path: PurePath) -> str:
    return (path.with_suffix("") if path.suffix in _COMPRESSIONS else path).suffix


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


def check_content(file: LandingFile) -> None:
    """Notice a file that is not what its name says, before its lines are judged one by one.

    A compressed one is read to its end: DuckDB takes a truncated one for a shorter one.

    Raises:
        UnreadableFileError: says what it is; or it is cut short, damaged or not compressed at all.
    """
    if file.format == ".parquet" or file.size_bytes == 0:
        return
    with open_file(file.path) as stream:
        head = stream.read(_HEAD_BYTES)
        if what := _no_text(head):
            raise UnreadableFileError(what)
        begins = head.removeprefix(codecs.BOM_UTF8).lstrip()[:1]
        if not _ending(PurePath(file.name)) and begins not in (b"{", b"["):
            raise UnreadableFileError("its name has no ending, and it does not begin like JSON")
        if file.path.suffix in _COMPRESSIONS:
            while stream.read(_CHUNK_BYTES):
                pass


def packed(head: bytes) -> str | None:
    """Say what a file is that begins so, if no text can be found in it as it is."""
    for begins, what in _BINARY.items():
        if head.startswith(begins):
            return what
    return _BINARY[_ZSTD] if is_framed(head) else None


def _no_text(head: bytes) -> str | None:
    """Say what a file is that begins with no text, if it is anything that is known."""
    if what := packed(head):
        return what
    # OTLP in protobuf begins with the length of a message, and no text has such a byte.
    return "it is binary, perhaps OTLP in protobuf: have it written as JSON" if 0 in head else None


@contextmanager
def open_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file to be read as what it was before it was compressed.

    Raises:
        UnreadableFileError: it cannot be, or is cut short, damaged or not compressed at all.
    """
    opener = {".gz": gzip.open, ".zst": _open_zstd}.get(path.suffix, open)
    try:
        with opener(path, "rb") as stream:
            yield stream
    except EOFError:
        raise UnreadableFileError("the compressed file is cut short") from None
    except (gzip.BadGzipFile, zlib.error, zstd.ZstdError) as error:
        raise UnreadableFileError(f"the compressed file is damaged: {error}") from None
    except OSError as error:
        raise UnreadableFileError(error.strerror or str(error)) from None


def is_framed(head: bytes) -> bool:
    """Whether a file begins as the collector's file exporter compresses: message by message.

    Each is compressed by itself, behind its length in four bytes.
    """
    return not head.startswith(_ZSTD) and head[4:8] == _ZSTD


def _open_zstd(path: Path, mode: str) -> BinaryIO:
    stream = path.open(mode)
    if is_framed(stream.peek(8)[:8]):
        return io.BufferedReader(_Framed(stream), _CHUNK_BYTES)
    stream.close()
    return zstd.open(path, mode)


class _Framed(io.RawIOBase):
    """The messages of such a file, a line each."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self._line = stream, memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:
        if not self._line:
            self._line = memoryview(self._next_line())
        size = min(len(buffer), len(self._line))
        buffer[:size], self._line = self._line[:size], self._line[size:]
        return size

    def _next_line(self) -> bytes:
        head = self._stream.read(4)
        length = int.from_bytes(head, "big")
        message = self._stream.read(min(length, LONGEST_LINE_BYTES))
        if not head:
            return b""
        if len(head) < 4 or len(message) < length:
            raise EOFError
        line = zstd.ZstdDecompressor().decompress(message, LONGEST_LINE_BYTES + 1)
        return line.rstrip(b"\n") + b"\n"

    def close(self) -> None:
        self._stream.close()
        super().close()
