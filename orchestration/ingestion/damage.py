"""Files that are not as they were written: which they are, and how the tables come back."""

import shlex
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date
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
        of_load = ledger.files_taken_in(settings, entry)
        gone = of_load - {
            file.state for source in SOURCES for file in list_landed_files(settings, source)[0]
        }
    except (duckdb.Error, UserError):
        return f"{backup}, delete it, have its day delivered again, and {_ACCEPT}."
    if not gone:
        everything = f"find {shlex.quote(str(settings.raw))} -name '{load_id}*' -delete"
        return (
            f"{backup}, delete all of its load, {everything}, and "
            f"{_ACCEPT}: all {len(of_load):,} landed files that it is made of are still there, and "
            "are taken in again."
        )
    made_of = sorted(state for state in of_load if state[0] in _landed_files_in(path, of_load))
    missing = [state[0] for state in made_of if state in gone]
    return (
        f"{backup}, delete it and {_ACCEPT}, when what it was made of has been delivered again, "
        f"{len(made_of):,} landed files such as {(missing or made_of[0])[0]}, of which "
        f"{len(missing):,} are not there any more; those that are need a new time, as touch gives "
        "them. Nothing counts twice."
    )


def _landed_files_in(path: Path, of_load: set[ledger.State]) -> set[str]:
    """Return the landed files that a file was made of; if it cannot be read, all of its load."""
    with duckdb.connect() as connection:
        try:
            query = f"select distinct landing_file from {ledger.relation([path])}"
            return {name for (name,) in connection.execute(query).fetchall()}
        except duckdb.Error:
            return {name for name, *_ in of_load}


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
