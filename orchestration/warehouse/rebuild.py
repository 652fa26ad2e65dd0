"""What is made anew although nothing of it has changed: days on demand, or the whole file."""

from datetime import date

import duckdb

from orchestration.settings import Settings, UserError
from orchestration.warehouse.file import wait_for_warehouse
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
