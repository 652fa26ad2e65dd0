"""The file that dbt builds in: waited for, put aside where it is damaged, written anew."""

import re
import time

import duckdb

from orchestration.console import console
from orchestration.files import quoted, replacing
from orchestration.settings import Settings, UserError
from orchestration.warehouse.fingerprints import BuiltFrom, note_built_from

_LONGEST_WAIT_S = 600
# What DuckDB says of its own file, or of the .wal beside it.
_DAMAGE = re.compile(
    "Corrupt database file|not a valid DuckDB database file|Could not read enough bytes"
    "|Failure while replaying WAL|Failed to deserialize"
)


def wait_for_warehouse(settings: Settings) -> None:
    """Wait until nobody has the warehouse open. One that is damaged is put aside.

    Raises:
        UserError: somebody has it open for longer than ten minutes, or it cannot be opened at all.
    """
    until = time.monotonic() + _LONGEST_WAIT_S
    while True:
        try:
            duckdb.connect(str(settings.warehouse)).close()
            return
        except duckdb.Error as error:
            if put_aside(settings, error):
                continue
            if "lock" not in str(error).lower():
                raise UserError(
                    f"{settings.warehouse} cannot be opened: {error}. Put that right and run "
                    "again; it holds nothing that raw/ does not, so it may be deleted."
                ) from error
            if time.monotonic() > until:
                raise UserError(
                    f"{settings.warehouse} is open elsewhere: {error}. Close it and run again."
                ) from error
            time.sleep(1)


def compact_warehouse(settings: Settings) -> None:
    """Write the warehouse anew: a database keeps what was deleted in it.

    Raises:
        UserError: it could not be written.
    """
    wait_for_warehouse(settings)
    try:
        with (
            replacing(settings.warehouse) as fresh,
            duckdb.connect(str(settings.warehouse)) as connection,
        ):
            connection.execute(f"set temp_directory = '{quoted(settings.home / 'tmp')}'")
            connection.execute(f"attach '{quoted(fresh)}' as fresh")
            connection.execute(f'copy from database "{settings.warehouse.stem}" to fresh')
            connection.execute("detach fresh")
    except (OSError, duckdb.Error) as error:
        put_aside_if_damaged(settings)
        raise UserError(
            f"{settings.warehouse} could not be rid of requests past retention: {error}. What was "
            "published before still stands; put that right and run again."
        ) from error


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
