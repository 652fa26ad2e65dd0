"""Landed files, in landing/ or on object storage as AI_USAGE_LANDING_URL says.

Those on object storage are listed there, and each batch is fetched just before it is loaded. What
is read of a source's database is in landing/ in any case.
"""

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath

from orchestration.files import UnreadableFileError
from orchestration.ingestion import ledger
from orchestration.ingestion.landed_file import (
    LandingFile,
    format_of,
    is_being_written,
    list_files,
)
from orchestration.object_storage import NOT_ALLOWED, State, Storage, each
from orchestration.settings import Settings, UserError
from orchestration.sources import SOURCES, Source


def landing_storage(settings: Settings) -> Storage:
    """Open the object storage that files land on."""
    return Storage("AI_USAGE_LANDING_URL", settings.landing_url)


def list_landed_files(settings: Settings, source: Source) -> tuple[list[LandingFile], list[str]]:
    """List a source's landed files as `list_files` does, wherever they land.

    Raises:
        UserError: the object storage cannot be read.
    """
    if not settings.landing_url:
        return list_files(settings.landing, source)
    here, folder = list_files(settings.landing, source)[0], source.database_folder
    files, ignored = [file for file in here if folder and file.name.startswith(f"{folder}/")], []
    for name, state in landing_storage(settings).list(source.name).items():
        path = PurePosixPath(name)
        if is_being_written(path) or any(part.startswith(".") for part in path.parts):
            continue
        if kind := format_of(path, source):
            files.append(LandingFile(local_copy(settings, name), name, kind, **state.__dict__))
        else:
            ignored.append(name)
    return sorted(files, key=lambda file: (file.modified_at, file.name)), sorted(ignored)


def is_here(settings: Settings, file: LandingFile) -> bool:
    """Whether it lies in landing/ itself."""
    return file.path.is_relative_to(settings.landing)


def refuse_if_nothing_ever_landed(settings: Settings) -> None:
    """Notice a wrong folder in the first run; later nothing may be left of what was taken in.

    Raises:
        UserError: there is nothing at the address, or the object storage cannot be read.
    """
    if ledger.entries(settings):
        return
    if not any(list_landed_files(settings, source)[0] for source in SOURCES):
        folders = ", ".join(f"{source.name}/" for source in SOURCES)
        raise UserError(
            f"AI_USAGE_LANDING_URL: no files have landed in {settings.landing_url}. They are "
            f"looked for in its folders {folders}: see that the address is right."
        )


def local_copy(settings: Settings, name: str) -> Path:
    """Return where an object's copy is; a name there may be long, or lead out of the folder."""
    endings = "".join(
        ending for ending in PurePosixPath(name).suffixes[-2:] if ending[1:].isalnum()
    )
    digest = hashlib.sha256(name.encode()).hexdigest()
    return settings.home / "tmp" / "landing" / f"{digest}{endings[-20:]}"


@contextmanager
def fetched(
    settings: Settings, batch: list[LandingFile]
) -> Iterator[tuple[list[LandingFile], list[tuple[str, str]]]]:
    """Have the files of a batch on disk meanwhile, as they are when they are fetched.

    The second list names those that could not be fetched, and why.

    Raises:
        UserError: the object storage cannot be read, or lets nothing of the batch be read.
    """
    files = [file for file in batch if is_here(settings, file)]
    if len(files) == len(batch):
        yield batch, []
        return
    storage = landing_storage(settings)

    def fetch(file: LandingFile) -> LandingFile | tuple[str, str]:
        listed = State(file.size_bytes, file.modified_at, file.tag)
        try:
            state = storage.fetch(file.name, file.path, listed)
        except UnreadableFileError as error:
            return file.name, str(error)
        return replace(file, **state.__dict__)

    with copies_folder(settings):
        done = each(fetch, (file for file in batch if not is_here(settings, file)))
        files += [file for file in done if isinstance(file, LandingFile)]
        unreadable = [file for file in done if not isinstance(file, LandingFile)]
        if not files and {why for _, why in unreadable} == {NOT_ALLOWED}:
            raise UserError(
                f"AI_USAGE_LANDING_URL: files in {storage.url} can be listed, but the credentials "
                f"may not read them: {unreadable[0][0]} and {len(unreadable) - 1:,} more. Allow it "
                "and run again."
            )
        yield files, unreadable


@contextmanager
def copies_folder(settings: Settings) -> Iterator[None]:
    """Have an empty folder for local copies, and nothing of it in the end."""
    folder = settings.home / "tmp" / "landing"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)
