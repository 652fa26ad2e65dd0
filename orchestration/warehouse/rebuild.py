"""What is made anew though no event of it has changed: what other code built, days, the file."""

from dataclasses import replace
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
    note_built_from(settings, replace(built_from(settings), inputs=None))
    wait_for_warehouse(settings)
    with duckdb.connect(str(settings.warehouse)) as connection:
        # Neither a new warehouse nor one of an earlier release has it: all of it is built anew.
        built_by_day = (
            "select table_name from duckdb_columns() "
            "where schema_name = 'core' and column_name = 'events_version' "
            "and table_name in ('int_requests', 'int_accepted_events')"
        )
        for (table,) in connection.execute(built_by_day).fetchall():
            connection.execute(
                f"update core.{table} set events_version = null where usage_date between ? and ?",
                [first, last],
            )


def note_build_begins(settings: Settings, now: BuiltFrom) -> set[str]:
    """Note that a build has begun, and return the models whose tables other code has built.

    `now` is what is built from. Until all of it is built nothing of it may be published, nor be
    taken for built anew.
    """
    models = built_from(settings).models.items() & now.models.items()
    changed = now.models.keys() - dict(models)
    note_built_from(settings, BuiltFrom(None if changed else now.code, dict(models)))
    return changed


def drop_tables(settings: Settings, models: set[str]) -> None:
    """Drop the tables of core models, since a table that is missing is built whole.

    Those of seeds, too: dbt fills a seed's table anew, but does not give it new columns.
    """
    with duckdb.connect(str(settings.warehouse)) as connection:
        tables = "select schema_name, table_name from duckdb_tables()"
        for schema, table in connection.execute(tables).fetchall():
            if schema == "seeds" or (schema == "core" and table in models):
                connection.execute(f'drop table "{schema}"."{table}"')
