"""Small things about files that more than one step needs."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class UnreadableFileError(Exception):
    """The file as a whole cannot be read now; it is tried again next time."""


def sync(path: Path) -> None:
    """Have a file, or a folder's list of files, on disk before going on."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def move(path: Path, target: Path) -> None:
    """Have a written file, or a folder, take its place: on disk, and there whole or not at all."""
    sync(path)
    path.replace(target)
    sync(target.parent)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a path beside a file to write to; what was written takes the file's place in the end.

    Whatever ends this before, a crash too, leaves the file as it was.
    """
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    try:
        yield new
        move(new, path)
    finally:
        new.unlink(missing_ok=True)


def quoted(text: str | Path) -> str:
    """Write text so that it can stand between single quotes in SQL."""
    return str(text).replace("'", "''")


def without_wildcards(path: Path) -> str:
    """Write a path so that DuckDB takes *, ? and [ in it for themselves."""
    return re.sub(r"([*?\[])", r"[\1]", str(path))
