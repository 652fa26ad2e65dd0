"""Who is named where: every file and object searched for a user's id, unpacked."""

import csv
import json
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import duckdb

from orchestration.files import UnreadableFileError, quoted, without_wildcards
from orchestration.ingestion.landed_file import open_file
from orchestration.ingestion.landing import copies_folder, landing_storage, local_copy
from orchestration.object_storage import State, Storage, each
from orchestration.publication.mirror import publish_storage
from orchestration.settings import PROJECT, Settings

# Objects that are known not to name a person, by name, at each address.
Clean = dict[str, dict[str, State]]

TEAMS = PROJECT / "seeds" / "teams.csv"
_CHUNK_BYTES = 16 * 1024**2
_AS_WRITTEN = "hive_partitioning = false, binary_as_string = true"


def what_names(settings: Settings, names: Iterable[str], clean: Clean) -> list[str]:
    """Return the files and objects that name them, under AI_USAGE_HOME and on object storage.

    Raises:
        UserError: the object storage cannot be read.
    """
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


def seed_lines_that_name(names: Iterable[str]) -> list[str]:
    """Return the lines of the seed teams that name them: a file of people's own, left to them."""
    with TEAMS.open(encoding="utf-8-sig", newline="") as file:
        lines = csv.reader(file)
        return [
            f"{TEAMS.parent.name}/{TEAMS.name}, line {lines.line_num}"
            for cells in lines
            if set(names).intersection(cell.strip() for cell in cells)
        ]


def files_that_name(folder: Path, *names: str) -> Iterator[Path]:
    """Search every file, unpacked, for one of the names as a word of its own."""
    pattern = _pattern(names)
    for parent, _, files in os.walk(folder):
        for path in (Path(parent, name) for name in sorted(files)):
            if not path.is_symlink() and path.is_file() and _names(path, pattern):
                yield path


def objects_that_name(
    settings: Settings, storage: Storage, names: Iterable[str], clean: dict[str, State]
) -> list[str]:
    """Search every object at an address likewise; `clean` is what was found not to name them.

    What is in `clean` in the same state is not fetched again, and what is clean now is added.

    Raises:
        UserError: the storage cannot be read.
    """
    pattern, found = _pattern(names), []

    def search(item: tuple[str, State]) -> None:
        name, state = item
        path = local_copy(settings, f"{storage.url}/{name}")
        try:
            state = storage.fetch(name, path, state)
            is_named = _names(path, pattern)
        except UnreadableFileError:
            is_named = True  # for all that can be known
        finally:
            path.unlink(missing_ok=True)
        if is_named:
            found.append(name)
        else:
            clean[name] = state

    with copies_folder(settings):
        stored = storage.list().items()
        each(search, [(name, state) for name, state in stored if clean.get(name) != state])
    return sorted(found)


def _pattern(names: Iterable[str]) -> str:
    # As it is, and as JSON may write it.
    in_json = {json.dumps(name, ensure_ascii=is_ascii) for name in names for is_ascii in (0, 1)}
    spelled = {*names, *(text[1:-1] for text in in_json)}
    # What both Python and DuckDB, which has no lookbehind, understand.
    return rf"(^|[^0-9A-Za-z_])({'|'.join(map(re.escape, sorted(spelled)))})([^0-9A-Za-z_]|$)"


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
