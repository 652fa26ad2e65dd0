"""Digests of files, in lists as sha256sum writes them: a file that is listed cannot change unseen.

A name in a list is relative to the list's folder, so that `sha256sum -c <list>` there checks it.
"""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestration.files import replacing

ENDING = ".sha256"


def digest_of(path: Path) -> str:
    """Return a file's digest: of a gigabyte in about a second."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_list(listed: Path) -> dict[Path, set[str]]:
    """Return the files of a list, each with the digests that it may have; none without a list.

    It has two where a crash came while it was rewritten: that of before and that of after.
    """
    digests: dict[Path, set[str]] = {}
    if listed.exists():
        for line in listed.read_text(errors="replace").splitlines():
            digest, _, name = line.partition("  ")
            digests.setdefault(_path(listed, name), set()).add(digest)
    return digests


def write_list(listed: Path, digests: dict[Path, set[str]], where: Path | None = None) -> None:
    """Write a list, into the file `where` if it is to be moved into place later."""
    with replacing(where or listed) as new:
        new.write_text(
            "".join(
                f"{digest}  {os.path.relpath(path, listed.parent)}\n"
                for path in sorted(digests)
                for digest in sorted(digests[path])
            )
        )


@contextmanager
def replacing_listed(path: Path, listed: Path) -> Iterator[Path]:
    """Replace a file as `replacing` does, and its digest in a list, wherever a crash comes."""
    digests = read_list(listed)
    with replacing(path) as new:
        yield new
        digest = digest_of(new)
        if path in digests:
            write_list(listed, digests | {path: digests[path] | {digest}})
    if path in digests:
        write_list(listed, digests | {path: {digest}})


def remove_listed(path: Path, listed: Path) -> None:
    """Remove a file, and before that its line in a list."""
    digests = read_list(listed)
    if digests.pop(path, None):
        write_list(listed, digests)
    path.unlink()


def _path(listed: Path, name: str) -> Path:
    return Path(os.path.normpath(listed.parent / name))
