"""A person leaves everything here and on object storage; what they used stays, as that of nobody.

Their requests are kept under the user `(forgotten)`: what the organisation spent does not change
because somebody has left. Landed files that name them go, since raw/ holds what was in these.
"""

import shutil
from collections.abc import Iterable
from pathlib import Path

import duckdb

from orchestration.digests import replacing_listed
from orchestration.files import quoted, without_wildcards
from orchestration.ingestion import new_files
from orchestration.ingestion.damage import digests_of, refuse_damage
from orchestration.ingestion.landed_file import LandingFile
from orchestration.ingestion.landing import is_here, landing_storage, list_landed_files
from orchestration.ingestion.litellm_database import take_in
from orchestration.privacy.archive_without import query_renamed
from orchestration.privacy.searching import Clean, files_that_name, objects_that_name
from orchestration.publication import remove_left_behind
from orchestration.settings import Settings
from orchestration.sources import SOURCES, Source
from orchestration.warehouse.archive import archive_files
from orchestration.warehouse.plugins.hash_users import hidden
from orchestration.warehouse.rebuild import mark_for_rebuild

FORGOTTEN = "(forgotten)"


def names_of(settings: Settings, user_id: str) -> dict[str, str]:
    """Return what a person goes by, each with what nobody goes by in its place."""
    names = {user_id: FORGOTTEN}
    if settings.hide_users:
        # Days past retention know them by no other name.
        key = settings.hiding_key.get_secret_value()
        names[hidden(user_id, key)] = FORGOTTEN
    return names


def erase(settings: Settings, user_id: str, names: dict[str, str], clean: Clean) -> tuple[int, int]:
    """Remove a person from raw/, archive/ and what landed; what they used becomes nobody's.

    The warehouse is removed, to be made anew: a database keeps what was deleted in it. Returned are
    the numbers of files rewritten and of landed files removed.

    Raises:
        UserError: what had landed could not be taken in, or a file in raw/ or archive/ is damaged;
            then nothing was removed.
    """
    # What is not in raw/ yet would be lost with the landed file, or come back by night.
    for source in SOURCES:
        take_in(settings, source)
    # What is rewritten gets another digest: damage would not be found any more.
    refuse_damage(settings)
    rewritten = sum(
        _rewrite(path, source, user_id)
        for source in SOURCES
        for path in settings.raw.glob(f"{source.name}/event_date=*/*.parquet")
    )
    rewritten += _rewrite_archive(settings, names)
    _clear_rejected(settings, user_id)
    landed = _remove_landed(settings, names, clean)
    mark_for_rebuild(settings)
    settings.warehouse.unlink(missing_ok=True)
    return rewritten, landed


def erase_history(settings: Settings, names: Iterable[str]) -> None:
    """Remove the versions published before, and the history of runs if it names them."""
    (settings.published / "previous").unlink(missing_ok=True)
    remove_left_behind(settings)
    # The history of runs may hold rows that failed a test.
    for folder in (settings.home / "dagster", settings.home / "dbt"):
        if any(files_that_name(folder, *names)):
            shutil.rmtree(folder)


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


def _rewrite(path: Path, source: Source, user_id: str) -> bool:
    """Make the person's events those of nobody; return whether the file had any."""
    relation = f"read_parquet('{quoted(without_wildcards(path))}', hive_partitioning = false)"
    with duckdb.connect() as connection:
        present = {name for name, *_ in connection.execute(f"describe from {relation}").fetchall()}
        ids = sorted(present.intersection(source.people))
        is_theirs = " or ".join(f"{name} = '{quoted(user_id)}'" for name in ids)
        if not connection.execute(f"select 1 from {relation} where {is_theirs} limit 1").fetchone():
            return False
        new = [
            f"case when {name} = '{quoted(user_id)}' then '{FORGOTTEN}' else {name} end as {name}"
            for name in ids
        ]
        new += [
            f"case when ({is_theirs}) is not true then {name} end as {name}"
            for name in source.people_names
            if name in present
        ]
        _replace(connection, path, f"select * replace ({', '.join(new)}) from {relation}")
    return True


def _rewrite_archive(settings: Settings, names: dict[str, str]) -> int:
    queries = {path: query_renamed(path, names) for path in archive_files(settings)}
    with duckdb.connect() as connection:
        for path, query in queries.items():
            if query:
                _replace(connection, path, query)
    return sum(query is not None for query in queries.values())


def _clear_rejected(settings: Settings, user_id: str) -> None:
    for path in files_that_name(settings.raw / "rejected", user_id):
        with duckdb.connect() as connection:
            relation = f"read_parquet('{quoted(without_wildcards(path))}')"
            named = f"contains(text, '{quoted(user_id)}')"
            query = f"select * replace (case when not {named} then text end as text)"
            _replace(connection, path, f"{query} from {relation}")


def _replace(connection: duckdb.DuckDBPyConnection, path: Path, query: str) -> None:
    with replacing_listed(path, digests_of(path)) as new:
        connection.execute(f"copy ({query}) to '{quoted(new)}' (format parquet, compression zstd)")
