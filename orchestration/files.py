"""Small things about files that more than one step needs."""

import os
import re
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


def quoted(text: str | Path) -> str:
    """Write text so that it can stand between single quotes in SQL."""
    return str(text).replace("'", "''")


def without_wildcards(path: Path) -> str:
    """Write a path so that DuckDB takes *, ? and [ in it for themselves."""
    return re.sub(r"([*?\[])", r"[\1]", str(path))
