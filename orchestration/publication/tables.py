"""The public tables as files: reports.duckdb, and Parquet beside it.

    parquet/<schema>/<table>.parquet
    parquet/<schema>/<table>/<month>.parquet    of those published by day

core.fct_requests is as long as history, and so is what a mart's YAML says is published by day
(`meta: published: by day`); of these a night changes a few days. Those are replaced in a copy of
the version before, and months without any are the same files. All else is written anew.
"""

import logging
import os
import shutil
from pathlib import Path

import duckdb

from orchestration.files import quoted
from orchestration.settings import Settings

log = logging.getLogger(__name__)

# DuckDB before 2.0 cannot open files written in a newer format.
_STORAGE_VERSION = "v1.0.0"
_REQUESTS = "core.fct_requests"


def copy_tables(
    settings: Settings, models: list[dict], target: Path, before: Path | None, days_before: dict
) -> dict[str, int]:
    """Write the public models to a new version's folder; return the rows of each table.

    `before` is the folder of the version before if its requests may be taken over, and
    `days_before` what each of its days was made of, as `days_of` told then.

    Raises:
        OSError, duckdb.Error: the files could not be written.
    """
    days = days_of(settings)
    changed = changed_days(days_before, days) if before else None
    tables, by_day = {}, {_REQUESTS, *filter(None, map(_name_if_by_day, models))}
    with duckdb.connect(config={"temp_directory": str(settings.home / "tmp")}) as connection:
        connection.execute(f"attach '{quoted(settings.warehouse)}' as warehouse (read_only)")
        file = target / "reports.duckdb"
        if changed is not None and not _take_over(connection, before, file, changed, by_day):
            changed = None
        if changed is None:
            _attach(connection, file)
        for model in sorted(models, key=lambda model: (model["schema"], model["name"])):
            name, table = f"{model['schema']}.{model['name']}", _quoted_name(model)
            connection.execute(f'create schema if not exists reports."{model["schema"]}"')
            path = target / "parquet" / model["schema"] / model["name"]
            path.parent.mkdir(parents=True, exist_ok=True)
            replaced = changed
            if name in by_day - {_REQUESTS} and changed is not None:
                replaced = _replace_days(connection, table)
            if name not in by_day or replaced is None:
                connection.execute(
                    f"create or replace table reports.{table} as from warehouse.{table}"
                )
            _describe(connection, model)
            if name in by_day:
                old = before / path.relative_to(target) if before else None
                _write_months(connection, table, path, old, replaced)
            else:
                _write_parquet(connection, f"reports.{table}", path.with_suffix(".parquet"))
            count = f"select count(*) from reports.{table}"
            (tables[name],) = connection.execute(count).fetchone()
        connection.execute("detach reports")
    return tables


def days_of(settings: Settings) -> dict[str, str]:
    """Return what the requests of each day are made of, events and prices, as a fingerprint.

    Days past retention have none: for whoever copies requests they are gone.
    """
    with duckdb.connect(str(settings.warehouse), read_only=True) as connection:
        return dict(
            connection.execute(
                "select cast(usage_date as varchar), requests_version "
                "from core.int_requests_version_by_day "
                "where requests_version not like 'archived %'"
            ).fetchall()
        )


def changed_days(before: dict[str, str], now: dict[str, str]) -> set[str] | None:
    """Return the days to replace, or None if all is to be written anew.

    That is so if a day is gone: a database file keeps what was deleted in it, and whoever has a
    day removed wants it gone from the disk.
    """
    changed = {day for day, version in now.items() if before.get(day) != version}
    if not now or before.keys() - now.keys() or 2 * len(changed) > len(now):
        return None
    return changed


def _attach(connection: duckdb.DuckDBPyConnection, file: Path) -> None:
    connection.execute(f"attach '{quoted(file)}' as reports (storage_version '{_STORAGE_VERSION}')")


def _take_over(
    connection: duckdb.DuckDBPyConnection,
    before: Path,
    file: Path,
    changed: set[str],
    by_day: set[str],
) -> bool:
    """Begin with what is published by day of the version before, and replace days of requests.

    Return False if the requests are not to be trusted.
    """
    shutil.copyfile(before / "reports.duckdb", file)
    try:
        _attach(connection, file)
        tables = connection.execute(
            "select schema_name, table_name from duckdb_tables() where database_name = 'reports'"
        ).fetchall()
        for schema, table in tables:
            if f"{schema}.{table}" not in by_day:
                connection.execute(f'drop table reports."{schema}"."{table}"')
        if changed:
            days = ", ".join(f"date '{day}'" for day in sorted(changed))
            connection.execute(
                f"""
                delete from reports.{_REQUESTS} where usage_date in ({days});
                insert into reports.{_REQUESTS} by name
                from warehouse.{_REQUESTS} where usage_date in ({days});
                """
            )
        if _adds_up(connection):
            return True
    except duckdb.Error as error:
        log.warning("The version before cannot be taken over: %s", error)
    # What is damaged or differs must not be handed on.
    connection.execute("detach database if exists reports")
    file.unlink()
    file.with_name(f"{file.name}.wal").unlink(missing_ok=True)
    return False


def _adds_up(connection: duckdb.DuckDBPyConnection) -> bool:
    """Tell whether the requests copied are, day by day, those that were built and tested."""
    totals = "sum(total_tokens) as tokens, sum(cost_usd) as cost_usd"
    return not connection.execute(
        f"""
        from (
            select usage_date, count(*) as requests, {totals}
            from reports.{_REQUESTS} group by usage_date
        ) as copied
        full join (
            select usage_date, sum(requests) as requests, {totals}
            from warehouse.core.int_usage_hourly
            where requests_version not like 'archived %' group by usage_date
        ) as built using (usage_date)
        where (copied.requests, copied.tokens, copied.cost_usd)
            is distinct from (built.requests, built.tokens, built.cost_usd)
        """
    ).fetchall()


def _replace_days(connection: duckdb.DuckDBPyConnection, table: str) -> set[str] | None:
    """Replace the days of a table taken over that were built otherwise; return them.

    None if the version before does not have it, or has other columns. Days are compared by what is
    in them, so that it does not matter why they differ.
    """
    columns = "select column_name, column_type from (describe {}.{})"
    try:
        if connection.execute(
            f"from ({columns.format('warehouse', table)}) as built full join "
            f"({columns.format('reports', table)}) as copied using (column_name, column_type) "
            "where built.column_name is null or copied.column_name is null"
        ).fetchall():
            return None
    except duckdb.CatalogException:
        return None
    names = connection.execute(columns.format("warehouse", table)).fetchall()
    row = ", ".join(f'"{name}"' for name, _ in names)
    content = f"count(*) as n, bit_xor(hash({row})) as content"
    days = f"select usage_date, {content} from {{}}.{table} group by usage_date"
    changed = {
        str(day)
        for (day,) in connection.execute(
            f"""
            select usage_date from ({days.format("warehouse")}) as built
            full join ({days.format("reports")}) as copied using (usage_date)
            where (built.n, built.content) is distinct from (copied.n, copied.content)
            """
        ).fetchall()
    }
    if changed:
        in_days = "usage_date in ({})".format(", ".join(f"date '{day}'" for day in sorted(changed)))
        connection.execute(
            f"""
            delete from reports.{table} where {in_days};
            insert into reports.{table} by name from warehouse.{table} where {in_days};
            """
        )
    return changed


def _describe(connection: duckdb.DuckDBPyConnection, model: dict) -> None:
    table = f"reports.{_quoted_name(model)}"
    connection.execute(f"comment on table {table} is '{quoted(model['description'].strip())}'")
    for column in model["columns"].values():
        connection.execute(
            f'comment on column {table}."{column["name"]}" '
            f"is '{quoted(column['description'].strip())}'"
        )


def _write_months(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    folder: Path,
    before: Path | None,
    changed: set[str] | None,
) -> None:
    folder.mkdir()
    changed_months = {day[:7] for day in changed or ()}
    months = f"select distinct strftime(usage_date, '%Y-%m') from reports.{table} order by 1"
    for (month,) in connection.execute(months).fetchall():
        path = folder / f"{month}.parquet"
        old = before / path.name if before else None
        if changed is not None and month not in changed_months and old.exists():
            os.link(old, path)
        else:
            # A range, of which DuckDB reads only the blocks that have it.
            first = f"date '{month}-01'"
            after = f"cast({first} + interval 1 month as date)"
            month_rows = f"usage_date >= {first} and usage_date < {after}"
            _write_parquet(connection, f"(from reports.{table} where {month_rows})", path)


def _write_parquet(connection: duckdb.DuckDBPyConnection, rows: str, path: Path) -> None:
    connection.execute(f"copy {rows} to '{quoted(path)}' (format parquet, compression zstd)")


def _quoted_name(model: dict) -> str:
    return f'"{model["schema"]}"."{model["name"]}"'


def _name_if_by_day(model: dict) -> str | None:
    by_day = model["config"].get("meta", {}).get("published") == "by day"
    return f"{model['schema']}.{model['name']}" if by_day else None
