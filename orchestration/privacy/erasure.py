"""A person leaves everything here and on object storage; what they used stays, as that of nobody.

Their requests are kept under the user `(forgotten)`: what the organisation spent does not change
because somebody has left. Landed files that name them go, since raw/ holds what was in these.
"""

import shutil
from collections.abc import Iterable
from pathlib import Path

import duckdb

from orchestration.console import console, step
from orchestration.files import quoted, sync, without_wildcards
from orchestration.ingestion import new_files
from orchestration.ingestion.landed_file import LandingFile
from orchestration.ingestion.landing import is_here, landing_storage, list_landed_files
from orchestration.ingestion.litellm_database import take_in
from orchestration.lock import only_run
from orchestration.object_storage import State
from orchestration.operations.night import run
from orchestration.privacy.archive_without import query_renamed
from orchestration.privacy.searching import files_that_name, objects_that_name
from orchestration.publication.mirror import mirror_current, publish_storage
from orchestration.settings import Settings, UserError
from orchestration.sources import SOURCES
from orchestration.warehouse.archive import archive_files
from orchestration.warehouse.rebuild import mark_for_rebuild

FORGOTTEN = "(forgotten)"
# Objects that are known not to name a person, by name, at each address.
Clean = dict[str, dict[str, State]]


def forget(settings: Settings, user_id: str) -> None:
    """Remove a person from what landed, from raw/, the warehouse, and all that is published.

    Raises:
        UserError: nothing names them, a run is at work, or something names them still.
    """
    if not user_id.strip():
        raise UserError("Say whom to forget: make forget USER=their-id, as in core.dim_users.")
    names = {user_id: FORGOTTEN}
    if settings.hiding_key is not None:
        from orchestration.warehouse.plugins.hash_users import hidden

        # Days past retention know them by no other name.
        names[hidden(user_id, settings.hiding_key)] = hidden(FORGOTTEN, settings.hiding_key)
    clean: Clean = {}
    places = " or ".join(
        filter(None, (str(settings.home), settings.landing_url, settings.publish_url))
    )
    with only_run(settings):
        with step("search") as progress:
            named = _search(settings, names, clean)
            progress.result = f"{len(named):,} files name them"
        if not named:
            raise UserError(f"Nothing in {places} names the user {user_id!r}.")
        with step("forget") as progress:
            # What is not in raw/ yet would be lost with the landed file, or come back by night.
            for source in SOURCES:
                take_in(settings, source)
            rewritten = sum(
                _rewrite(settings, path, user_id)
                for source in SOURCES
                for path in settings.raw.glob(f"{source.name}/event_date=*/*.parquet")
            )
            rewritten += _rewrite_archive(settings, names)
            _clear_rejected(settings, user_id)
            landed = _remove_landed(settings, names, clean)
            # Made anew from raw/, rather than changed: a database keeps what was deleted in it.
            mark_for_rebuild(settings)
            settings.warehouse.unlink(missing_ok=True)
            progress.result = (
                f"{rewritten:,} files in raw/ and archive/ rewritten, {landed:,} files removed"
            )
    run(settings)
    with only_run(settings):
        _remove_previous_version(settings)
        mirror_current(settings)
        # The history of runs may hold rows that failed a test.
        for folder in (settings.home / "dagster", settings.home / "dbt"):
            if any(files_that_name(folder, *names)):
                shutil.rmtree(folder)
        left = _search(settings, names, clean)
    if left:
        files = "\n  ".join(left)
        raise UserError(
            f"These files still name {user_id!r}, or cannot be read to see whether they do; please "
            f"look at them:\n  {files}"
        )
    console.print(f"\nNothing in {places} names them; what they used is {FORGOTTEN}'s.")


def _search(settings: Settings, names: Iterable[str], clean: Clean) -> list[str]:
    """Return what names them, on disk and on object storage."""
    found = [str(path) for path in files_that_name(settings.home, *names)]
    for url, storage in (
        (settings.landing_url, landing_storage),
        (settings.publish_url, publish_storage),
    ):
        if url:
            known = clean.setdefault(url, {})
            objects = objects_that_name(settings, storage(settings), names, known)
            found += [f"{url}/{name}" for name in objects]
    return found


def _remove_landed(settings: Settings, people: Iterable[str], clean: Clean) -> int:
    """Remove the landed files that name them, if raw/ has what was in these; return how many."""
    paths, names = set(files_that_name(settings.landing, *people)), set()
    if settings.landing_url:
        storage = landing_storage(settings)
        names.update(objects_that_name(settings, storage, people, clean[storage.url]))
    # Asked for after the search: whatever has changed meanwhile stays, and is found again.
    taken_in = _files_taken_in(settings)
    paths &= {file.path for file in taken_in}
    names &= {file.name for file in taken_in if not is_here(settings, file)}
    for path in paths:
        path.unlink()
    if names:
        storage.remove(names)
    return len(paths) + len(names)


def _files_taken_in(settings: Settings) -> set[LandingFile]:
    files = {file for source in SOURCES for file in list_landed_files(settings, source)[0]}
    return files - {file for source in SOURCES for file in new_files(settings, source)[0]}


def _rewrite(settings: Settings, path: Path, user_id: str) -> bool:
    """Make the person's events those of nobody; return whether the file had any."""
    relation = f"read_parquet('{quoted(without_wildcards(path))}', hive_partitioning = false)"
    with duckdb.connect() as connection:
        present = {name for name, *_ in connection.execute(f"describe from {relation}").fetchall()}
        ids = sorted(present & {"user_id", "end_user"})
        is_theirs = " or ".join(f"{name} = '{quoted(user_id)}'" for name in ids)
        if not connection.execute(f"select 1 from {relation} where {is_theirs} limit 1").fetchone():
            return False
        new = [
            f"case when {name} = '{quoted(user_id)}' then '{FORGOTTEN}' else {name} end as {name}"
            for name in ids
        ]
        if "user_name" in present:
            new.append(f"case when ({is_theirs}) is not true then user_name end as user_name")
        _replace(settings, connection, path, f"select * replace ({', '.join(new)}) from {relation}")
    return True


def _rewrite_archive(settings: Settings, names: dict[str, str]) -> int:
    queries = {path: query_renamed(path, names) for path in archive_files(settings)}
    with duckdb.connect() as connection:
        for path, query in queries.items():
            if query:
                _replace(settings, connection, path, query)
    return sum(query is not None for query in queries.values())


def _clear_rejected(settings: Settings, user_id: str) -> None:
    for path in files_that_name(settings.raw / "rejected", user_id):
        with duckdb.connect() as connection:
            relation = f"read_parquet('{quoted(without_wildcards(path))}')"
            named = f"contains(text, '{quoted(user_id)}')"
            query = f"select * replace (case when not {named} then text end as text)"
            _replace(settings, connection, path, f"{query} from {relation}")


def _replace(
    settings: Settings, connection: duckdb.DuckDBPyConnection, path: Path, query: str
) -> None:
    temporary = settings.home / "tmp" / "forgotten.parquet"
    connection.execute(
        f"copy ({query}) to '{quoted(temporary)}' (format parquet, compression zstd)"
    )
    sync(temporary)
    temporary.replace(path)
    sync(path.parent)


def _remove_previous_version(settings: Settings) -> None:
    previous = settings.published / "previous"
    if previous.exists() and previous.resolve() != (settings.published / "current").resolve():
        shutil.rmtree(previous.resolve())
    previous.unlink(missing_ok=True)
