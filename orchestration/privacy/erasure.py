"""A person leaves everything here and on object storage; what they used stays, as that of nobody.

Their requests are kept under the user `(forgotten)`: what the organisation spent does not change
because somebody has left. Landed files that name them go, since raw/ holds what was in these.

Whatever cuts it off, saying it again finishes it: what is published names them until all else is
done, and what is removed first nobody needs.
"""

import re
import shutil
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
from orchestration.privacy.names import Names
from orchestration.privacy.searching import (
    Clean,
    columns_of_people,
    files_that_name,
    history_names,
    ids_in_raw,
    is_one_of,
    landed_objects_that_name,
    raw_files_that_name,
    rejected_texts_that_name,
)
from orchestration.publication import remove_left_behind
from orchestration.settings import Settings, UserError
from orchestration.sources import SOURCES, Source
from orchestration.warehouse.archive import archive_files
from orchestration.warehouse.plugins.hash_users import hidden
from orchestration.warehouse.rebuild import mark_for_rebuild

FORGOTTEN = "(forgotten)"
# How the macro told_id publishes an id that begins like a name of ours.
_IN_BRACKETS = "user ("


def names_of(settings: Settings, person: str) -> Names:
    """Return what a person goes by: as published, as raw/ has it, and hidden, as far as is known.

    `person` is an id as in core.dim_users, or what the gateways tell.
    """
    ids = {person}
    if not settings.hide_users:
        return Names(_as_told(ids))
    key = settings.hiding_key.get_secret_value()
    if re.fullmatch("[0-9a-f]{24}", person):
        known = {_as_published(id_) for id_ in ids_in_raw(settings)}
        ids = {id_ for id_ in known if person in (id_, hidden(id_, key))} or ids
    # Days past retention know them by no other name.
    return Names(_as_told(ids) | {hidden(id_, key) for id_ in ids})


def erase(settings: Settings, names: Names, clean: Clean) -> tuple[int, int]:
    """Remove a person from raw/, archive/ and what landed; what they used becomes nobody's.

    The warehouse is removed, to be made anew: a database keeps what was deleted in it. Returned are
    the numbers of files rewritten and of landed files, or links to such, removed.

    Raises:
        UserError: what had landed could not be taken in, or a file in raw/ or archive/ is damaged,
            and nothing was removed; or the disk is full, or a file cannot be written.
    """
    # What is not in raw/ yet would be lost with the landed file, or come back by night.
    for source in SOURCES:
        take_in(settings, source)
    # What is rewritten gets another digest: damage would not be found any more.
    refuse_damage(settings)
    try:
        _remove_what_is_made_anew(settings, names)
        raw = raw_files_that_name(settings, names)
        for path in raw:
            _rewrite(path, _source_of(settings, path), names)
        for path, texts in rejected_texts_that_name(settings, names).items():
            _clear_texts(path, texts)
        archived = _rewrite_archive(settings, names)
        landed = _remove_landed(settings, names, clean)
    except (OSError, duckdb.IOException, duckdb.OutOfMemoryException) as error:
        raise UserError(
            f"Forgetting stopped: {error}. What was published before still stands; put that right "
            "and say this again, which finishes it."
        ) from error
    return len(raw) + archived, landed


def erase_version_before(settings: Settings) -> None:
    """Remove the versions that were published before: they name them."""
    (settings.published / "previous").unlink(missing_ok=True)
    remove_left_behind(settings)


def _as_told(ids: set[str]) -> set[str]:
    """Add what the gateways tell of users whose ids are published in another way."""
    bare = {id_.removeprefix("user ") for id_ in ids if id_.startswith(_IN_BRACKETS)}
    return ids | bare - {FORGOTTEN}


def _as_published(id_: str) -> str:
    return f"user {id_}" if id_.startswith("(") and id_ != FORGOTTEN else id_


def _remove_what_is_made_anew(settings: Settings, names: Names) -> None:
    """Remove what holds nothing that raw/ and archive/ do not, and what a crash has left."""
    mark_for_rebuild(settings)
    warehouse = settings.warehouse.name
    for name in (warehouse, f"damaged_{warehouse}", f".{warehouse}.new"):
        for ending in ("", ".wal"):
            settings.warehouse.with_name(f"{name}{ending}").unlink(missing_ok=True)
    for folder in (settings.raw, settings.archive):
        for path in folder.rglob(".*.new"):
            path.unlink()
    for folder in ("tmp", "dbt"):
        shutil.rmtree(settings.home / folder, ignore_errors=True)
    (settings.home / "tmp").mkdir()
    # The history of runs may hold rows that failed a test.
    if history_names(settings, names):
        shutil.rmtree(settings.home / "dagster")


def _remove_landed(settings: Settings, names: Names, clean: Clean) -> int:
    """Remove the landed files that name them, if raw/ has what was in these; return how many."""
    paths = set(files_that_name(settings.landing, settings, names, clean))
    objects = set(landed_objects_that_name(settings, names, clean))
    # Asked for after the search: whatever has changed meanwhile stays, and is found again.
    taken_in = _files_taken_in(settings)
    paths &= {file.path for file in taken_in}
    objects &= {file.name for file in taken_in if not is_here(settings, file)}
    for path in paths:
        path.unlink()
    if objects:
        landing_storage(settings).remove(objects)
    return len(paths) + len(objects)


def _files_taken_in(settings: Settings) -> set[LandingFile]:
    files = {file for source in SOURCES for file in list_landed_files(settings, source)[0]}
    return files - {file for source in SOURCES for file in new_files(settings, source)[0]}


def _source_of(settings: Settings, path: Path) -> Source:
    [source] = [s for s in SOURCES if path.is_relative_to(settings.raw / s.name)]
    return source


def _rewrite(path: Path, source: Source, names: Names) -> None:
    """Make the person's events those of nobody, and ids that were made of theirs nobody's."""
    relation = f"read_parquet('{quoted(without_wildcards(path))}', hive_partitioning = false)"
    with duckdb.connect() as connection:
        columns = columns_of_people(connection, relation)
        ids = [name for name in columns if name in source.people]
        is_theirs = " or ".join(is_one_of(name, names) for name in ids)
        new = []
        for name in columns:
            is_named = is_one_of(name, names)
            if name in source.people_names:
                new.append(f"if({is_theirs} or {is_named}, null, {name}) as {name}")
            else:
                new.append(f"if({is_named}, '{FORGOTTEN}', {name}) as {name}")
        _replace(connection, path, f"select * replace ({', '.join(new)}) from {relation}")


def _rewrite_archive(settings: Settings, names: Names) -> int:
    queries = {path: query_renamed(path, names, FORGOTTEN) for path in archive_files(settings)}
    with duckdb.connect() as connection:
        for path, query in queries.items():
            if query:
                _replace(connection, path, query)
    return sum(query is not None for query in queries.values())


def _clear_texts(path: Path, texts: list[str]) -> None:
    with duckdb.connect() as connection:
        relation = f"read_parquet('{quoted(without_wildcards(path))}')"
        listed = ", ".join(f"'{quoted(text)}'" for text in texts)
        query = f"select * replace (if(text in ({listed}), null, text) as text) from {relation}"
        _replace(connection, path, query)


def _replace(connection: duckdb.DuckDBPyConnection, path: Path, query: str) -> None:
    with replacing_listed(path, digests_of(path)) as new:
        connection.execute(f"copy ({query}) to '{quoted(new)}' (format parquet, compression zstd)")
