"""Files that are not as they were written: which they are, and how the tables come back."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from orchestration.console import console
from orchestration.files import quoted
from orchestration.ingestion.landing import list_landed_files
from orchestration.settings import Settings, UserError
from orchestration.sources import SOURCES
from orchestration.warehouse.archive import archive_files
from orchestration.warehouse.fingerprints import BuiltFrom, note_built_from

# What DuckDB says of its own file, or of the .wal beside it.
_DAMAGE = re.compile(
    "Corrupt database file|not a valid DuckDB database file|Could not read enough bytes"
    "|Failure while replaying WAL|Failed to deserialize"
)


def put_aside(settings: Settings, error: duckdb.Error) -> bool:
    """Rename the warehouse, of which DuckDB says this, if that means that it is damaged.

    The next build makes a new one from raw/ and archive/: it holds nothing that they do not.
    """
    if not (damage := _DAMAGE.search(str(error))):
        return False
    note_built_from(settings, BuiltFrom())
    # Renamed and not deleted: whoever has it open keeps it.
    for path in (settings.warehouse, settings.warehouse.with_name("warehouse.duckdb.wal")):
        if path.exists():
            path.replace(path.with_name(f"damaged_{path.name}"))
    console.print(
        f"  {settings.warehouse} is damaged ({damage[0]}). It was put aside as "
        f"damaged_{settings.warehouse.name}, which may be deleted; a new one is built from raw/."
    )
    return True


def put_aside_if_damaged(settings: Settings) -> bool:
    """Read the warehouse to its end, and put it aside if it is damaged.

    Damage within a table shows only where it is read: this is for whoever has met an error.
    """
    try:
        with duckdb.connect(str(settings.warehouse), read_only=True) as connection:
            tables = "select schema_name, table_name from duckdb_tables()"
            for schema, table in connection.execute(tables).fetchall():
                connection.execute(f'select count(columns(*)) from "{schema}"."{table}"')
    except duckdb.Error as error:
        return put_aside(settings, error)
    return False


def damaged_raw_files(settings: Settings) -> str:
    """Name the files of raw/ and archive/ that cannot be read to their end; say what to do."""
    said = []
    with duckdb.connect() as connection:
        for path in (*sorted(settings.raw.glob("[!.]*/**/*.parquet")), *archive_files(settings)):
            try:
                connection.execute(f"select sum(hash(columns(*))) from '{quoted(path)}'")
            except duckdb.Error as error:
                why = str(error).splitlines()[0]
                said.append(f"  {path} is damaged: {why}\n  {_cure(settings, path)}")
    return "\n".join(said)


def _cure(settings: Settings, path: Path) -> str:
    if path.is_relative_to(settings.archive):
        return "Put it back from a backup of archive/ and run again: nothing else has its days."
    ledger = settings.raw / "loads" / f"{path.stem.split('_')[0]}.parquet"
    again = (
        f"delete {ledger}: the next run removes all else of that load, and takes in again what is "
        "in landing/"
    )
    backup = "Put it back from a backup of raw/ and run again. Without one"
    try:
        with duckdb.connect() as connection:
            query = f"select landing_file, size_bytes, landed_at from '{quoted(ledger)}'"
            files = connection.execute(query).fetchall()
        landed = {
            (file.name, file.size_bytes, file.modified_at.replace(tzinfo=None))
            for source in SOURCES
            for file in list_landed_files(settings, source)[0]
        }
    except (duckdb.Error, UserError):
        return f"{backup}, {again}. Which files those should be cannot be told now."
    gone = [file[0] for file in files if file not in landed]
    if not gone:
        return f"{backup}, {again}, which has all {len(files):,} files that the load is made of."
    return (
        f"{backup}, first put back into landing/ what is no longer there as it was, "
        f"{len(gone):,} of the {len(files):,} files that the load is made of, such as {gone[0]}; "
        f"then {again}."
    )


@contextmanager
def reading_raw(settings: Settings) -> Iterator[None]:
    """Have an error of DuckDB's name the file of raw/ that is damaged.

    Raises:
        UserError: a file is damaged; says which, and what to do.
    """
    try:
        yield
    except duckdb.Error as error:
        raise UserError(damaged_raw_files(settings) or f"raw/ cannot be read: {error}") from error
