"""What names a person, under AI_USAGE_HOME and on object storage, and how each of it is searched.

    landing/                 read as ingestion reads it, and every value of it compared, see
                             names.py; what cannot be read so is searched as text
    raw/, archive/,          the columns that can name people, value by value: a team or a model of
    published/, warehouse    the same name is nobody
    published/.../page/      the same of the columns that it holds
    all else                 searched as text; what is packed in a way that is not read counts as
                             naming them, for all that can be known

Not searched is what this project writes of itself: the page's code, Data Docs, notes of builds. The
history of runs is searched as text, and rather removed than kept.
"""

import csv
import json
import os
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path, PurePath, PurePosixPath

import duckdb

from orchestration.files import UnreadableFileError, quoted, without_wildcards
from orchestration.ingestion.damage import reading_raw
from orchestration.ingestion.landed_file import LandingFile, format_of, open_file, packed
from orchestration.ingestion.landing import copies_folder, landing_storage, local_copy
from orchestration.ingestion.records import read_records
from orchestration.object_storage import Storage, each
from orchestration.privacy.names import Names
from orchestration.publication.mirror import publish_storage
from orchestration.settings import PROJECT, Settings
from orchestration.sources import SOURCES, Source

# Files and objects that are known not to name a person: at each address, the state of each.
Clean = dict[str, dict[str, object]]
Search = Callable[[Path, Names], bool]

TEAMS = PROJECT / "seeds" / "teams.csv"
_SOURCES = {source.name: source for source in SOURCES}
_CHUNK_BYTES = 16 * 1024**2
# Longer than an id of 256 characters, however it is escaped.
_OVERLAP_BYTES = 64 * 1024
_KEPT_OF_REJECTED = 40
_AS_LANDED = "hive_partitioning = false, binary_as_string = true"
# Columns of ours that hold ids and names of people, or ids that clients make of these.
_OF_PEOPLE = re.compile("user|owner|alias|(session|prompt)_id$")
_PAGE_DATA = re.compile(
    r'<script type="application/json" id="page">(.*?)</script>|^receive\("\w+",(.*)\)$', re.DOTALL
)


def what_names(settings: Settings, names: Names, clean: Clean) -> list[str]:
    """Return the files and objects that name them, under AI_USAGE_HOME and on object storage.

    What is in `clean` in the same state is not searched again, and what is clean now is added.

    Raises:
        UserError: the object storage cannot be read, or a file of raw/ is damaged.
    """
    raw = [*raw_files_that_name(settings, names), *rejected_texts_that_name(settings, names)]
    found = [str(path) for path in (*raw, *files_that_name(settings.home, settings, names, clean))]
    for url, storage, how in (
        (settings.landing_url, landing_storage, _how_of_landed),
        (settings.publish_url, publish_storage, _how_of_published),
    ):
        if url:
            objects = objects_that_name(settings, storage(settings), how, names, clean)
            found += [f"{url}/{name}" for name in objects]
    return found


def seed_lines_that_name(names: Names) -> list[str]:
    """Return the lines of the seed teams that name them: a file of people's own, left to them."""
    with TEAMS.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file)
        return [
            f"{TEAMS.parent.name}/{TEAMS.name}, line {rows.line_num}"
            for row in rows
            if (row["user_id"] or "").strip() in names.all
        ]


def history_names(settings: Settings, names: Names) -> bool:
    """Whether the history of runs has one of the names, as a word: a row that failed a test may."""
    for path, _ in _files(settings.home / "dagster"):
        if _in_text(path, names) or (path.suffix == ".db" and _in_sqlite(path, names)):
            return True
    return False


def raw_files_that_name(settings: Settings, names: Names) -> list[Path]:
    """Return the files of events in raw/ that name them.

    Raises:
        UserError: one of them is damaged.
    """
    found: list[Path] = []
    with reading_raw(settings), duckdb.connect() as connection:
        for source in SOURCES:
            found += _tables_that_name(connection, _events(settings, source), names)
    return found


def ids_in_raw(settings: Settings) -> set[str]:
    """Return all ids of people in raw/.

    Raises:
        UserError: a file of it is damaged.
    """
    ids: set[str] = set()
    with reading_raw(settings), duckdb.connect() as connection:
        for source in SOURCES:
            paths = _events(settings, source)
            for column in source.people:
                ids.update(id_ for (id_,) in _rows(connection, paths, f"distinct {column}", "true"))
    return ids - {None}


def rejected_texts_that_name(settings: Settings, names: Names) -> dict[Path, list[str]]:
    """Return what the files of raw/rejected keep of records, where that names them.

    Raises:
        UserError: one of them is damaged.
    """
    # What is longer is cut off there, see the macro `shortened`.
    cut = [f"{name[:_KEPT_OF_REJECTED]}..." for name in names.all if len(name) > _KEPT_OF_REJECTED]
    names, found = Names([*names.all, *cut]), {}
    paths = sorted((settings.raw / "rejected").glob("*.parquet"))
    with reading_raw(settings), duckdb.connect() as connection:
        for path, text in _rows(
            connection, paths, "filename, text", f"regexp_matches(text, '{quoted(names.spelled)}')"
        ):
            # Of what is no JSON no more than names of fields is kept.
            with suppress(ValueError):
                if names.are_in_record(text):
                    found.setdefault(Path(path), []).append(text)
    return found


def files_that_name(folder: Path, settings: Settings, names: Names, clean: Clean) -> Iterator[Path]:
    """Search the files in a folder under AI_USAGE_HOME, but for those that raw/ is made of."""
    known, seen = clean.setdefault("", {}), set()
    for path, status in _files(folder):
        place = path.relative_to(settings.home)
        how, state = _how_at_home(place), (status.st_size, status.st_mtime_ns)
        is_landed = place.parts[0] == "landing"  # there a link is a file of its own
        if not how or known.get(str(path)) == state:
            continue
        if not is_landed and (status.st_dev, status.st_ino) in seen:
            continue
        seen.add((status.st_dev, status.st_ino))
        if how(path, names):
            yield path
        else:
            known[str(path)] = state


def objects_that_name(
    settings: Settings,
    storage: Storage,
    how_of: Callable[[PurePath], Search | None],
    names: Names,
    clean: Clean,
) -> list[str]:
    """Search every object at an address likewise.

    Raises:
        UserError: the storage cannot be read.
    """
    known, found = clean.setdefault(storage.url, {}), []

    def search(item: tuple) -> None:
        name, how, state = item
        path = local_copy(settings, f"{storage.url}/{name}")
        try:
            state = storage.fetch(name, path, state)
            is_named = how(path, names)
        except UnreadableFileError:
            is_named = True  # for all that can be known
        finally:
            path.unlink(missing_ok=True)
        if is_named:
            found.append(name)
        else:
            known[name] = state

    with copies_folder(settings):
        stored = storage.list().items()
        items = [(name, how_of(PurePosixPath(name)), state) for name, state in stored]
        each(search, [item for item in items if item[1] and known.get(item[0]) != item[2]])
    return sorted(found)


def landed_objects_that_name(settings: Settings, names: Names, clean: Clean) -> list[str]:
    """Search what landed on object storage, if that is set.

    Raises:
        UserError: the storage cannot be read.
    """
    if not settings.landing_url:
        return []
    storage = landing_storage(settings)
    return objects_that_name(settings, storage, _how_of_landed, names, clean)


def columns_of_people(connection: duckdb.DuckDBPyConnection, relation: str) -> list[str]:
    """Return the columns of a table of ours that hold text and can name people."""
    described = connection.execute(f"describe from {relation}").fetchall()
    return [name for name, kind, *_ in described if kind == "VARCHAR" and _OF_PEOPLE.search(name)]


def is_one_of(column: str, names: Names) -> str:
    """Write the SQL condition that a column has one of the names."""
    listed = ", ".join(f"'{quoted(name)}'" for name in names.all)
    return f'"{column}" in ({listed})'


def _condition(columns: list[str], names: Names) -> str:
    return " or ".join(is_one_of(column, names) for column in columns) or "false"


def _files(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Yield what is a file, or leads to one, at whatever depth; links to folders are followed."""
    been = set()
    for parent, folders, files in os.walk(folder, followlinks=True):
        status = Path(parent).stat()
        if (status.st_dev, status.st_ino) in been:
            folders.clear()
            continue
        been.add((status.st_dev, status.st_ino))
        # What a link within leads to is met where it is.
        folders.sort(key=lambda name: (Path(parent, name).is_symlink(), name))
        for path in (Path(parent, name) for name in sorted(files)):
            if path.is_file():
                yield path, path.stat()


def _how_at_home(place: PurePath) -> Search | None:
    match place.parts:
        case ("landing", *parts):
            return _how_of_landed(PurePath(*parts))
        case ("raw", "rejected" | "loads" | "validations", _):
            return None
        case ("raw", _, date, name) if date.startswith("event_date=") and name.endswith(".parquet"):
            return None
        case ("archive", _, _) if place.suffix == ".parquet":
            return _in_tables
        case ("published", *parts):
            return _how_of_published(PurePath(*parts))
        case ("dagster" | "dbt", *_) | ("built_from.json" | "run.lock",):
            return None
    return _in_any


def _how_of_landed(place: PurePath) -> Search:
    source = _SOURCES.get(place.parts[0])
    kind = format_of(place, source) if source and len(place.parts) > 1 else None
    if kind == ".parquet":
        return _in_parquet
    return partial(_in_records, source=source, kind=kind) if kind else _in_any


def _how_of_published(place: PurePath) -> Search | None:
    parts = place.parts
    within = {"versions": 2, "current": 1, "previous": 1}.get(parts[0], 0)
    match parts[within:]:
        case ("reports.duckdb",) | ("parquet", *_):
            return _in_tables
        case ("page", "index.html") | ("page", "data", _):
            return _in_page
        case ("data_docs", *_) | ("build.json",) | ("current.json",):
            return None
    return _in_any


def _in_records(path: Path, names: Names, source: Source, kind: str) -> bool:
    """Read a landed file as ingestion does, and look at every value."""
    try:
        # Few files name anybody: most need not be taken apart.
        if (is_packed := _is_packed(path)) or not any(map(names.may_be_in, _chunks(path))):
            return is_packed
    except UnreadableFileError:
        return True  # for all that can be known
    status, is_read = path.stat(), True
    modified_at = datetime.fromtimestamp(status.st_mtime, UTC)
    file = LandingFile(path, path.name, kind, status.st_size, modified_at)
    try:
        for _, text, problem in read_records(file, source, whole=True):
            if problem:
                is_read = False
            elif names.may_be_in(data := text.encode()):
                try:
                    if names.are_in_record(text):
                        return True
                except ValueError:
                    if names.are_words_of(data):
                        return True
    except UnreadableFileError:
        is_read = False
    return not is_read and _in_text(path, names)


def _in_parquet(path: Path, names: Names) -> bool:
    """Look at every value of every column, as the text that ingestion makes of it."""
    relation = f"read_parquet('{quoted(without_wildcards(path))}', {_AS_LANDED})"
    try:
        with duckdb.connect() as connection:
            values = [
                f"'{quoted(name)}': "
                f"cast({'to_json' if _is_nested(kind) else ''}({_identifier(name)}) as varchar)"
                for name, kind, *_ in connection.execute(f"describe from {relation}").fetchall()
            ]
            rows = connection.execute(
                f"select record from (select to_json({{{', '.join(values)}}})::varchar as record "
                f"from {relation}) where regexp_matches(record, $spelled)",
                {"spelled": names.spelled},
            )
            while found := rows.fetchmany(1_000):
                if any(names.are_in_record(record) for (record,) in found):
                    return True
    except duckdb.Error:
        return True  # for all that can be known
    return False


def _is_nested(kind: str) -> bool:
    return kind.endswith("]") or kind.startswith(("STRUCT", "MAP", "UNION"))


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _in_tables(path: Path, names: Names) -> bool:
    """Look at the columns that can name people, of a Parquet file or of all a database's tables."""
    try:
        if path.suffix == ".parquet":
            with duckdb.connect() as connection:
                return bool(_tables_that_name(connection, [path], names))
        with duckdb.connect(str(path), read_only=True) as connection:
            tables = connection.execute(
                'select format(\'"{}"."{}"\', schema_name, table_name) from duckdb_tables()'
            ).fetchall()
            for (table,) in tables:
                condition = _condition(columns_of_people(connection, table), names)
                if connection.execute(
                    f"select 1 from {table} where {condition} limit 1"
                ).fetchone():
                    return True
    except duckdb.Error:
        return True  # for all that can be known
    return False


def _events(settings: Settings, source: Source) -> list[Path]:
    return sorted(settings.raw.glob(f"{source.name}/event_date=*/*.parquet"))


def _tables_that_name(
    connection: duckdb.DuckDBPyConnection, paths: list[Path], names: Names
) -> list[Path]:
    """Return the Parquet files, of tables alike, that have one of the names in such a column."""
    if not paths:
        return []
    condition = _condition(columns_of_people(connection, _relation(paths)), names)
    return [Path(name) for (name,) in _rows(connection, paths, "distinct filename", condition)]


def _rows(
    connection: duckdb.DuckDBPyConnection, paths: list[Path], columns: str, condition: str
) -> list[tuple]:
    if not paths:
        return []
    query = f"select {columns} from {_relation(paths)} where {condition} order by all"
    return connection.execute(query).fetchall()


def _relation(paths: list[Path]) -> str:
    listed = ", ".join(f"'{quoted(without_wildcards(path))}'" for path in paths)
    options = "union_by_name = true, hive_partitioning = false, filename = true"
    return f"read_parquet([{listed}], {options})"


def _in_page(path: Path, names: Names) -> bool:
    """Look at the lists of users, and of what columns that can name people hold."""
    data = _PAGE_DATA.search(path.read_text())
    try:
        listed = _listed(json.loads(data[1] or data[2])) if data else []
        return not data or any(value in names.all for value in listed)
    except ValueError:
        return True  # for all that can be known


def _listed(page: object) -> Iterator[object]:
    users = page.get("parts", {}).get("users", []) if isinstance(page, dict) else page
    for user in users:
        # An id and a name; a list of columns may stand in its place.
        yield from user if isinstance(user, list) else ()
    left = [page]
    while left:
        value = left.pop()
        if isinstance(value, dict):
            if isinstance(value.get("list"), list) and _OF_PEOPLE.search(str(value.get("name"))):
                yield from value["list"]
            left += value.values()
        elif isinstance(value, list):
            left += [inner for inner in value if isinstance(inner, dict | list)]


def _in_any(path: Path, names: Names) -> bool:
    """Search a file of which nothing is known but its name and how it begins."""
    if path.suffix == ".duckdb":
        return _in_tables(path, names)
    try:
        if _is_packed(path):
            with path.open("rb") as file:
                return file.read(4) != b"PAR1" or _in_parquet(path, names)
        return _in_text(path, names)
    except (UnreadableFileError, OSError):
        return True  # for all that can be known


def _in_text(path: Path, names: Names) -> bool:
    """Search a file, unpacked, for one of the names as a word of its own."""
    try:
        return any(names.may_be_in(c) and names.are_words_of(c) for c in _chunks(path))
    except UnreadableFileError:
        return True  # for all that can be known


def _is_packed(path: Path) -> bool:
    """Whether a file, unpacked by what its name says, is still none to find text in."""
    with open_file(path) as stream:
        return packed(stream.read(64)) is not None


def _chunks(path: Path) -> Iterator[bytes]:
    """Read a file, unpacked, in chunks, each with the end of the one before."""
    with open_file(path) as stream:
        before = b""
        while chunk := stream.read(_CHUNK_BYTES):
            yield before + chunk
            before = chunk[-_OVERLAP_BYTES:]


def _in_sqlite(path: Path, names: Names) -> bool:
    """Look at every value: a long one is cut into pages in the file."""
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            tables = connection.execute("select name from sqlite_master where type = 'table'")
            for (table,) in tables.fetchall():
                for row in connection.execute(f"select * from {_identifier(table)}"):
                    for value in row:
                        data = value.encode() if isinstance(value, str) else b""
                        if names.may_be_in(data) and names.are_words_of(data):
                            return True
    except sqlite3.Error:
        return True  # for all that can be known
    return False
