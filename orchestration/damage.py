"""Files that are not as they were written: which they are, and how the tables come back."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from orchestration.files import quoted
from orchestration.progress import console
from orchestration.settings import Settings, UserError

# What DuckDB says of its own file, or of the .wal beside it.
_DAMAGE = re.compile(
    "Corrupt database file|not a valid DuckDB database file|Could not read enough bytes"
    "|Failure while replaying WAL|Failed to deserialize"
)


def put_aside(settings: Settings, error: duckdb.Error) -> bool:
    """Rename the warehouse, of which DuckDB says this, if that means that it is damaged.

    The next build makes a new one from raw/, without which it holds nothing.
    """
    if not (damage := _DAMAGE.search(str(error))):
        return False
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
    """Name the Parquet files of raw/ that cannot be read to their end, and say what to do."""
    said = []
    with duckdb.connect() as connection:
        for path in sorted(settings.raw.glob("[!.]*/**/*.parquet")):
            try:
                connection.execute(f"select sum(hash(columns(*))) from '{quoted(path)}'")
            except duckdb.Error as error:
                why = str(error).splitlines()[0]
                said.append(f"  {path} is damaged: {why}\n  {_cure(settings, path)}")
    return "\n".join(said)


def _cure(settings: Settings, path: Path) -> str:
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
    except duckdb.Error:
        return f"{backup}, {again}. Which files those should be is not known any more."
    gone = [file[0] for file in files if not _is_in_landing(settings, *file)]
    if not gone:
        return f"{backup}, {again}, which has all {len(files):,} files that the load is made of."
    return (
        f"{backup}, first put back into landing/ what is no longer there as it was, "
        f"{len(gone):,} of the {len(files):,} files that the load is made of, such as {gone[0]}; "
        f"then {again}."
    )


def _is_in_landing(settings: Settings, name: str, size_bytes: int, landed_at: datetime) -> bool:
    try:
        status = (settings.landing / name).stat()
    except OSError:
        return False
    modified_at = datetime.fromtimestamp(status.st_mtime, UTC).replace(tzinfo=None)
    return (status.st_size, modified_at) == (size_bytes, landed_at)


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
