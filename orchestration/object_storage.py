"""Object storage: the one place that knows how s3://, gs:// and az:// are read and written.

Credentials come from the environment alone, by the names that each provider's own tools know. What
the libraries beneath say of an error may hold them, so it is never passed on.
"""

import contextlib
import errno
import json
import mimetypes
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fsspec.asyn

from orchestration.files import UnreadableFileError
from orchestration.settings import UserError

_LIBRARIES = {"s3": "s3fs", "gs": "gcsfs", "az": "adlfs"}
_CREDENTIALS = {
    "s3": "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, and AWS_ENDPOINT_URL if it is not Amazon's",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS",
    "az": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
}
NOT_ALLOWED = "there is no permission to read it"
_AT_ONCE = 16
_TRIES = 3
# No storage answers with these: it is this machine's disk.
_OF_THIS_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)


@dataclass(frozen=True)
class State:
    """What tells whether an object has changed; the time is UTC, in whole seconds.

    Some storages tell parts of a second in listings, but not of a single object.
    """

    size_bytes: int
    modified_at: datetime
    tag: str


class Storage:
    """What lies at an address; names are relative to it. `setting` is what people set it with."""

    def __init__(self, setting: str, url: str) -> None:
        """Open it; nothing is asked of it yet.

        Raises:
            UserError: the library for it is not installed.
        """
        self.setting, self.url = setting, url
        self.scheme, self.root = url.split("://")
        try:
            # A request given up halfway would be logged, in the library's words.
            fsspec.asyn.get_loop().set_exception_handler(lambda *_: None)
            # Neither what lay there a while ago nor who we were then is of use.
            with self._told():
                self.files = fsspec.filesystem(
                    self.scheme, use_listings_cache=False, skip_instance_cache=True
                )
        except ImportError:
            library = _LIBRARIES[self.scheme]
            raise UserError(
                f"{setting}: {self.scheme}:// needs the package {library}, which does not come "
                f"with this project. Add it with: .venv/bin/uv pip install --python "
                f".venv/bin/python {library}"
            ) from None

    def list(self, folder: str = "") -> dict[str, State]:
        """Return the objects at the address, or in a folder there, by name.

        Raises:
            UserError: the storage cannot be reached, or does not let us; says what to do.
        """
        path = self._path(folder).rstrip("/")
        with self._told():
            found = self.files.find(path, detail=True)
            # adlfs takes a container that is not there for an empty one.
            if self.scheme == "az" and not found:
                self.files.info(self.root.split("/")[0])
        return {
            name.removeprefix(f"{self.root}/"): _state(about)
            for name, about in found.items()
            if name.startswith(f"{path}/") and not name.endswith("/") and about["type"] == "file"
        }

    def fetch(self, name: str, path: Path, state: State) -> State:
        """Copy an object to a file; return the state that is the copy's, which may be a later one.

        Raises:
            UnreadableFileError: this object cannot be had now.
            UserError: the storage as a whole cannot.
            OSError: this machine's disk is full.
        """
        for _ in range(_TRIES):
            failed = None
            try:
                self.files.get_file(self._path(name), str(path))
            except Exception as error:
                if isinstance(error, OSError) and error.errno in _OF_THIS_DISK:
                    raise OSError(error.errno, os.strerror(error.errno)) from None
                failed = _why(error)
            # Asked for even then: it tells a bad object from a storage that is out of reach.
            now = self._state_of(name)
            if failed:
                raise UnreadableFileError(f"it could not be fetched: {failed}")
            if now == state:
                return state
            state = now
        raise UnreadableFileError("it changes faster than it can be fetched")

    def put(self, files: dict[str, Path]) -> None:
        """Copy files to the names given, several at once.

        Raises:
            UserError: see `list`.
        """

        def put_one(item: tuple[str, Path]) -> None:
            name, path = item
            kind, _ = mimetypes.guess_type(path.name)
            # The other two libraries tell browsers by themselves what a file is.
            is_to_tell = self.scheme == "az" and kind
            more = {"content_settings": {"content_type": kind}} if is_to_tell else {}
            self.files.put_file(str(path), self._path(name), **more)

        with self._told():
            each(put_one, files.items())

    def remove(self, names: Iterable[str]) -> None:
        """Remove objects, whether or not they are there still.

        Raises:
            UserError: see `list`.
        """

        def remove_one(name: str) -> None:
            with contextlib.suppress(FileNotFoundError):
                self.files.rm_file(self._path(name))

        with self._told():
            each(remove_one, names)

    def read_json(self, name: str) -> Any:
        """Return what a small object says, or None if it is not there or no JSON.

        Raises:
            UserError: see `list`.
        """
        with self._told(), contextlib.suppress(FileNotFoundError, json.JSONDecodeError):
            return json.loads(self.files.cat_file(self._path(name)))
        return None

    def write_json(self, name: str, content: Any) -> None:
        """Write a small object, at once.

        Raises:
            UserError: see `list`.
        """
        with self._told():
            self.files.pipe_file(self._path(name), json.dumps(content, indent=1).encode())

    def _path(self, name: str) -> str:
        return f"{self.root}/{name}"

    def _state_of(self, name: str) -> State:
        with self._told():
            try:
                return _state(self.files.info(self._path(name)))
            except FileNotFoundError:
                raise UnreadableFileError("it has gone since it was listed") from None
            except PermissionError:
                raise UnreadableFileError(NOT_ALLOWED) from None

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (UserError, UnreadableFileError, ImportError):
            raise
        except Exception as error:
            # Without the cause, too: Dagster would keep it.
            raise UserError(
                f"{self.setting}: {self.url} cannot be used: {_why(error)}. See that the address "
                "is right, that the server can be reached, and that the environment has "
                f"credentials for it ({_CREDENTIALS[self.scheme]}); then run again."
            ) from None


def each(do: Callable[[Any], Any], things: Iterable[Any]) -> list:
    """Do it to each of the things, several at a time; the first error ends it."""
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        return list(threads.map(do, things))


def _state(about: dict) -> State:
    """Read what s3fs, gcsfs and adlfs tell of an object, each by names of its own."""
    modified_at = about.get("LastModified") or about.get("last_modified") or about["mtime"]
    tag = about.get("ETag") or about.get("etag") or ""
    return State(about["size"], modified_at.astimezone(UTC).replace(microsecond=0), tag)


def _why(error: Exception) -> str:
    """Say what is wrong without a word of the error's own."""
    if isinstance(error, PermissionError):
        return "the credentials are wrong, or may not do this"
    if isinstance(error, FileNotFoundError):
        return "there is no such bucket"
    if isinstance(error, OSError) and error.errno:
        return f"{os.strerror(error.errno)} ({type(error).__name__})"
    return type(error).__name__
