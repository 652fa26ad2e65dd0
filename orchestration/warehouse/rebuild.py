"""What is made anew although nothing of it has changed: days on demand, or the whole file."""

from datetime import date

import duckdb

from orchestration.files import quoted, sync
from orchestration.ingestion.damage import put_aside_if_damaged
from orchestration.lock import wait_for_warehouse
from orchestration.settings import Settings, UserError
from orchestration.warehouse.fingerprints import BuiltFrom, built_from, note_built_from


def mark_for_rebuild(
    settings: Settings, first_date: str | None = None, last_date: str | None = None
) -> None:
    """Have the next build make these days anew, in the reporting time zone; without dates, all.

    The mark lasts until a build has done it, so a rebuild that is cut off goes on with the next
    run. How much memory a build takes at most AI_USAGE_MEMORY_LIMIT says.

    Raises:
        UserError: a date is none, or the last one lies before the first.
    """
    if not first_date and not last_date:
        note_built_from(settings, BuiltFrom())
        return
    try:
        first = date.fromisoformat(first_date or "0001-01-01")
        last = date.fromisoformat(last_date or "9999-12-31")
    except ValueError as error:
        raise UserError(f"A day to rebuild is written like 2026-01-31: {error}.") from None
    if last < first:
        raise UserError(f"The last day to rebuild, {last}, lies before the first, {first}.")
    note_built_from(settings, BuiltFrom(core=built_from(settings).core))
    wait_for_warehouse(settings)
    with duckdb.connect(str(settings.warehouse)) as connection:
        # Neither a new warehouse nor one of an earlier release has it: all of it is built anew.
        if connection.execute(
            "from duckdb_columns() "
            "where (table_name, column_name) = ('int_requests', 'events_version')"
        ).fetchone():
            connection.execute(
                "update core.int_requests set events_version = null "
                "where usage_date between ? and ?",
                [first, last],
            )


def compact_warehouse(settings: Settings) -> None:
    """Write the warehouse anew: a database keeps what was deleted in it.

    Raises:
        UserError: it could not be written.
    """
    wait_for_warehouse(settings)
    fresh = settings.home / "tmp" / "warehouse.duckdb"
    fresh.unlink(missing_ok=True)
    try:
        with duckdb.connect(str(settings.warehouse)) as connection:
            connection.execute(f"set temp_directory = '{quoted(settings.home / 'tmp')}'")
            connection.execute(f"attach '{quoted(fresh)}' as fresh")
            connection.execute(f'copy from database "{settings.warehouse.stem}" to fresh')
            connection.execute("detach fresh")
        sync(fresh)
        fresh.replace(settings.warehouse)
    except (OSError, duckdb.Error) as error:
        fresh.unlink(missing_ok=True)
        put_aside_if_damaged(settings)
        raise UserError(
            f"{settings.warehouse} could not be rid of requests past retention: {error}. What was "
            "published before still stands; put that right and run again."
        ) from error
    sync(settings.home)
