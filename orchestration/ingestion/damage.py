"""Files that are not as they were written: which they are, and how the tables come back."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, date
from pathlib import Path

import duckdb

from orchestration.digests import ENDING, digest_of, read_list, write_list
from orchestration.files import quoted, without_wildcards
from orchestration.ingestion import ledger
from orchestration.ingestion.landing import list_landed_files
from orchestration.settings import Settings, UserError
from orchestration.sources import SOURCES
from orchestration.warehouse.archive import (
    archive_files,
    archived_through,
    digests_of_archive,
    has_left_raw,
)

_ACCEPT = "run once with AI_USAGE_ACCEPT_CHANGES=1"
_FILES_TOLD = 5


def digests_of(path: Path) -> Path:
    """Return the list that has the digest of a file of raw/ or archive/."""
    if path.parent.parent.name == "archive":
        return digests_of_archive(path.parent)
    raw = next(folder for folder in path.parents if folder.name == "raw")
    return raw / "loads" / f"{ledger.load_id_of(path)}{ENDING}"


def refuse_damage(settings: Settings, *paths: Path) -> None:
    """See that files of raw/ and archive/ are as they were written; without any, all.

    All at once is also where files of earlier versions get their digests, and where those that
    have gone are missed, unless AI_USAGE_ACCEPT_CHANGES=1 accepts it.

    Raises:
        UserError: names those that are not, each with what to do.
    """
    if said := damaged_files(settings, *paths):
        raise UserError(f"Not all in raw/ and archive/ is as it was written:\n{said}")


def damaged_files(settings: Settings, *paths: Path) -> str:
    """Name the files of raw/ and archive/ that are not as they were written; say what to do.

    `paths` are the files to look at; without any, it is all.
    """
    found = list(_damaged(settings, paths))
    said = [f"  {path} {why}.\n  {_cure(settings, path)}" for path, why in found[:_FILES_TOLD]]
    if len(found) > _FILES_TOLD:
        said.append(f"  and {len(found) - _FILES_TOLD:,} more")
    return "\n".join(said)


def _damaged(settings: Settings, paths: tuple[Path, ...]) -> Iterator[tuple[Path, str]]:
    """Find them, each with what is wrong with it."""
    there = paths or (*settings.raw.glob("[!.]*/**/*.parquet"), *archive_files(settings))
    by_list: dict[Path, set[Path]] = {}
    if not paths:
        lists = (*settings.raw.glob(f"loads/*{ENDING}"), *settings.archive.glob(f"*/*{ENDING}"))
        by_list = {listed: set() for listed in lists}
    for path in there:
        by_list.setdefault(digests_of(path), set()).add(path)
    through = archived_through(settings)
    for listed, files in sorted(by_list.items()):
        digests = read_list(listed)
        found = {path: digest_of(path) for path in sorted(files)}
        wrong = list(_changed(listed, digests, found) if digests else _unreadable(found))
        if paths:
            yield from wrong
            continue
        gone = {
            path
            for path in digests.keys() - found.keys()
            if not _has_left_raw(settings, path, through)
        }
        if gone and not settings.accept_changes:
            wrong += [(path, f"is gone: {listed} lists it") for path in sorted(gone)]
        yield from wrong
        if wrong or (digests and not gone and all(len(of) == 1 for of in digests.values())):
            continue
        # An earlier version wrote no list; what a crash or a person's word has left is settled.
        left = {path: of for path, of in digests.items() if path not in gone}
        left |= {path: {digest} for path, digest in found.items()}
        if left:
            write_list(listed, left)
        else:
            listed.unlink()


def _changed(
    listed: Path, digests: dict[Path, set[str]], found: dict[Path, str]
) -> Iterator[tuple[Path, str]]:
    for path, digest in found.items():
        if path not in digests:
            yield path, f"is not what ingestion wrote: {listed} does not list it"
        elif digest not in digests[path]:
            yield path, f"is damaged: it has another digest than {listed} lists"


def _unreadable(paths: Iterable[Path]) -> Iterator[tuple[Path, str]]:
    """Read files that have no digest yet to their end."""
    with duckdb.connect() as connection:
        for path in paths:
            relation = f"read_parquet('{quoted(without_wildcards(path))}')"
            try:
                connection.execute(f"select sum(hash(columns(*))) from {relation}")
            except duckdb.Error as error:
                yield path, f"is damaged: {str(error).splitlines()[0]}"


def _has_left_raw(settings: Settings, path: Path, through: date | None) -> bool:
    """Whether retention has removed it, as a file of events."""
    column, _, day = path.parent.name.partition("=")
    return column == "event_date" and has_left_raw(settings, date.fromisoformat(day), through)


def _cure(settings: Settings, path: Path) -> str:
    if path.is_relative_to(settings.archive):
        return "Put it back from a backup of archive/ and run again: nothing else has its days."
    load_id = ledger.load_id_of(path)
    entry = ledger.entry(settings, load_id)
    backup = "Put it back from a backup of raw/ and run again. Without one"
    if path == entry:
        return (
            f"{backup}, delete it and {_ACCEPT}: the load gets another entry, as far as its events "
            "tell, and those of its landed files that are still there are taken in again."
        )
    try:
        files = sorted(_landed_files_of(path, entry))
        landed = {
            (file.name, file.size_bytes, file.modified_at)
            for source in SOURCES
            for file in list_landed_files(settings, source)[0]
        }
    except (duckdb.Error, UserError):
        return f"{backup}, delete it and have its day delivered again; then {_ACCEPT}."
    gone = [name for name, *state in files if (name, *state) not in landed]
    told = f"{len(files):,} landed files" if len(files) > 1 else "a landed file"
    made_of = f"it was made of {told}, such as {files[0][0]}" if files else "of what is not known"
    still = "none of them is" if len(gone) == len(files) else f"{len(gone):,} of them are not"
    still = f"{still} there any more, such as {gone[0]}" if gone else "all of them are still there"
    return (
        f"{backup}, delete it: {made_of}, and {still}. Have them delivered again, or touch those "
        f"that are there, and {_ACCEPT}: nothing counts twice."
    )


def _landed_files_of(path: Path, entry: Path) -> list[ledger.State]:
    """Return the landed files that a file was made of; if it cannot be read, all of its load."""
    with duckdb.connect() as connection:
        known = ledger.relation([entry])
        try:
            names = f"select distinct landing_file from {ledger.relation([path])}"
            names = [name for (name,) in connection.execute(names).fetchall()]
        except duckdb.Error:
            names = None
        return [
            (name, size, landed_at.replace(tzinfo=UTC))
            for name, size, landed_at in connection.execute(
                f"select landing_file, size_bytes, landed_at from {known} "
                "where $names is null or list_contains($names::varchar[], landing_file)",
                {"names": names},
            ).fetchall()
        ]


@contextmanager
def reading_raw(settings: Settings) -> Iterator[None]:
    """Have an error of DuckDB's name the file of raw/ that is damaged.

    Raises:
        UserError: a file is damaged; says which, and what to do.
    """
    try:
        yield
    except duckdb.Error as error:
        raise UserError(damaged_files(settings) or f"raw/ cannot be read: {error}") from error
