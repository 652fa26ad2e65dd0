"""A person leaves everything under AI_USAGE_HOME; what they used stays, as that of nobody.

Their requests are kept under the user `(forgotten)`: what the organisation spent does not change
because somebody has left. Landed files that name them go, since raw/ holds what was in these.
"""

import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import duckdb

from orchestration.archive import archive_files
from orchestration.files import quoted, sync, without_wildcards
from orchestration.forgetting_archive import query_renamed
from orchestration.ingestion import new_files
from orchestration.landing import UnreadableFileError, list_files, open_file
from orchestration.litellm_database import take_in
from orchestration.lock import only_run
from orchestration.night import run
from orchestration.progress import console, step
from orchestration.rebuild import mark_for_rebuild
from orchestration.settings import Settings, UserError
from orchestration.sources import SOURCES

FORGOTTEN = "(forgotten)"
_CHUNK_BYTES = 16 * 1024**2
_AS_WRITTEN = "hive_partitioning = false, binary_as_string = true"


def forget(settings: Settings, user_id: str) -> None:
    """Remove a person from what landed, from raw/, the warehouse, and all that is published.

    Raises:
        UserError: nothing names them, a run is at work, or something names them still.
    """
    if not user_id.strip():
        raise UserError("Say whom to forget: make forget USER=their-id, as in core.dim_users.")
    names = {user_id: FORGOTTEN}
    if settings.hiding_key is not None:
        from orchestration.hiding import hidden

        # Days past retention know them by no other name.
        names[hidden(user_id, settings.hiding_key)] = hidden(FORGOTTEN, settings.hiding_key)
    with only_run(settings):
        with step("search") as progress:
            named = list(files_that_name(settings.home, *names))
            progress.result = f"{len(named):,} files name them"
        if not named:
            raise UserError(f"Nothing in {settings.home} names the user {user_id!r}.")
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
            landed = _files_taken_in(settings) & set(files_that_name(settings.landing, user_id))
            for path in landed:
                path.unlink()
            # Made anew from raw/, rather than changed: a database keeps what was deleted in it.
            mark_for_rebuild(settings)
            settings.warehouse.unlink(missing_ok=True)
            progress.result = (
                f"{rewritten:,} files in raw/ and archive/ rewritten, "
                f"{len(landed):,} landed files removed"
            )
    run(settings)
    with only_run(settings):
        _remove_previous_version(settings)
        # The history of runs may hold rows that failed a test.
        for folder in (settings.home / "dagster", settings.home / "dbt"):
            if any(files_that_name(folder, *names)):
                shutil.rmtree(folder)
        left = list(files_that_name(settings.home, *names))
    if left:
        files = "\n  ".join(str(path) for path in left)
        raise UserError(
            f"These files still name {user_id!r}, or cannot be read to see whether they do; please "
            f"look at them:\n  {files}"
        )
    console.print(f"\nNothing in {settings.home} names them; what they used is {FORGOTTEN}'s.")


def files_that_name(folder: Path, *names: str) -> Iterator[Path]:
    """Search every file, unpacked, for one of the names as a word of its own."""
    # As it is, and as JSON may write it.
    in_json = {json.dumps(name, ensure_ascii=is_ascii) for name in names for is_ascii in (0, 1)}
    spelled = {*names, *(text[1:-1] for text in in_json)}
    # What both Python and DuckDB, which has no lookbehind, understand.
    pattern = rf"(^|[^0-9A-Za-z_])({'|'.join(map(re.escape, sorted(spelled)))})([^0-9A-Za-z_]|$)"
    for parent, _, files in os.walk(folder):
        for path in (Path(parent, name) for name in sorted(files)):
            if not path.is_symlink() and path.is_file() and _names(path, pattern):
                yield path


def _names(path: Path, pattern: str) -> bool:
    try:
        if path.suffix == ".parquet":
            relation = f"read_parquet('{quoted(without_wildcards(path))}', {_AS_WRITTEN})"
            with duckdb.connect() as connection:
                return _matches(connection, relation, pattern)
        if path.suffix == ".duckdb":
            with duckdb.connect(str(path), read_only=True) as connection:
                tables = connection.execute(
                    'select format(\'"{}"."{}"\', schema_name, table_name) from duckdb_tables()'
                ).fetchall()
                return any(_matches(connection, table, pattern) for (table,) in tables)
    except duckdb.Error:
        pass  # no such file after all: its bytes are searched
    expression = re.compile(pattern.encode())
    try:
        with open_file(path) as stream:
            before = b""
            while chunk := stream.read(_CHUNK_BYTES):
                if expression.search(before + chunk):
                    return True
                before = chunk[-1024:]
    except UnreadableFileError:
        return True  # for all that can be known
    return False


def _matches(connection: duckdb.DuckDBPyConnection, relation: str, pattern: str) -> bool:
    columns = [
        f'regexp_matches(cast("{name}" as varchar), $pattern)'
        for name, kind, *_ in connection.execute(f"describe from {relation}").fetchall()
        if "VARCHAR" in kind or kind == "JSON"
    ]
    if not columns:
        return False
    found = f"select 1 from {relation} where {' or '.join(columns)} limit 1"
    return connection.execute(found, {"pattern": pattern}).fetchone() is not None


def _files_taken_in(settings: Settings) -> set[Path]:
    files = {file.path for source in SOURCES for file in list_files(settings.landing, source)[0]}
    return files - {file.path for source in SOURCES for file in new_files(settings, source)[0]}


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
