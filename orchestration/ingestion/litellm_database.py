"""LiteLLM's table of requests, read straight from its PostgreSQL database.

Rows that raw/ does not hold land as files in landing/litellm/LiteLLM_SpendLogs, which are taken in
as any others. So what was read is told by raw/ and its ledger, and there is no state beside them
that a crash could make wrong.

Why no row is lost. LiteLLM writes a row when its request has ended, in batches, and queues rows
while its database is out of reach: so a row may appear after others that started later. Each night
reads again whatever started within the overlap before the newest row that was taken in, and lands
what is not known. To be missed, a row would have to appear only after a request that started two
days later was taken in, and no request and no such queue lasts that long. A missed night does not
shorten this: it is counted from the newest row taken in, and not from today. And rows land in the
order in which they started, and all that landed is taken in before more are read: wherever a crash
cuts this off, no row is left out behind the newest one.

LiteLLM changes rows that it has written: what a batch or a budget settles. It notes the time in
`updated_at`, and what started within a month before is read again once that is later than what
raw/ holds of the row.
"""

import os
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from orchestration.files import move, quoted
from orchestration.ingestion import ingest, ledger
from orchestration.ingestion.summary import Summary
from orchestration.settings import Settings, UserError
from orchestration.sources.litellm import SOURCE
from orchestration.sources.litellm.spend_logs import (
    COLUMNS_PRESENT,
    FOLDER,
    SESSION,
    URL,
    meaning,
    select_rows,
)
from orchestration.sources.source import MACROS, Source
from orchestration.warehouse.archive import is_archived

_ROWS_A_FILE = 50_000
_STARTED_AT = 'as_time(fetched."startTime")'
# LiteLLM's table has an index on when requests started, and none on when rows changed.
_SETTLED_WITHIN = timedelta(days=31)
_CONNECT_TIMEOUT_S = "20"


def take_in(
    settings: Settings, source: Source, on_progress: Callable[[int, int], None] = lambda *_: None
) -> Summary:
    """Take in what a source has landed and, of LiteLLM, what its database holds, if it is set.

    Raises:
        UserError: see `ingest`; or the database cannot be read. What had landed is taken in.
    """
    summary = ingest(settings, source, on_progress)
    if source.database_folder and settings.litellm_database_url:
        rows, files = _land_new_rows(settings)
        if files:
            summary = summary.followed_by(ingest(settings, source, on_progress))
        summary.rows_read = rows
    return summary


def _land_new_rows(settings: Settings) -> tuple[int, int]:
    """Return the numbers of rows that were read, and of files that landed with what was new."""
    # Imported where it is needed.
    from adbc_driver_postgresql import dbapi

    folder = settings.landing / FOLDER
    writing = folder / ".writing.jsonl.zst"
    rows, files = 0, 0
    os.environ.setdefault("PGCONNECT_TIMEOUT", _CONNECT_TIMEOUT_S)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        writing.unlink(missing_ok=True)
        first_name = f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}"
        with (
            duckdb.connect(config={"temp_directory": str(settings.home / "tmp")}) as connection,
            closing(dbapi.connect(settings.litellm_database_url.get_secret_value())) as database,
            # A cursor of the server gives out so many rows at a time; COPY would give out all.
            closing(
                database.cursor(adbc_stmt_kwargs={"adbc.postgresql.use_copy": "false"})
            ) as cursor,
        ):
            connection.execute("set TimeZone = 'UTC'")
            connection.execute(MACROS)
            since = _know_what_was_read(connection, settings)
            for statement in SESSION:
                cursor.execute(statement)
            types = dict(_fetch(cursor, COLUMNS_PRESENT, connection).fetchall())
            query = select_rows(types, since, since and since - _SETTLED_WITHIN)
            cursor.execute(f"declare rows no scroll cursor for {query}")
            fetch = f"fetch forward {_ROWS_A_FILE} from rows"
            while read := len(_fetch(cursor, fetch, connection)):
                rows += read
                if not _write_new(connection, writing, is_archived(settings, _STARTED_AT)):
                    continue
                move(writing, folder / f"{first_name}-{files:06}.jsonl.zst")
                files += 1
    except dbapi.Error as error:
        why = meaning(error)
    except (duckdb.IOException, duckdb.OutOfMemoryException, OSError) as error:
        raise UserError(
            f"Reading LiteLLM's database stopped: {error}. Put that right and run again, which "
            "goes on with what has not landed yet."
        ) from error
    else:
        return rows, files
    # Out here the driver's own error is not even the context of this one.
    raise UserError(
        f"LiteLLM's database cannot be read as {URL} says: {why}. The next run goes on where "
        "this one stopped. To do without the database, unset it."
    )


def _fetch(
    cursor: object, query: str, connection: duckdb.DuckDBPyConnection
) -> duckdb.DuckDBPyRelation:
    """Ask PostgreSQL, and hold the answer as the temporary table `fetched`."""
    cursor.execute(query)
    connection.register("answer", cursor.fetch_arrow())
    connection.execute("create or replace temp table fetched as from answer")
    connection.unregister("answer")
    return connection.table("fetched")


def _know_what_was_read(
    connection: duckdb.DuckDBPyConnection, settings: Settings
) -> datetime | None:
    """Make the tables `known` and `known_bad`; return the time from which on to read, if not all.

    Rows that were taken in are known by id and time, as they were then; rejected ones by what was
    kept of these.
    """
    raw = quoted(settings.raw)
    connection.execute(
        """
        create temp table known (request_id varchar, started_at timestamp, known_as_of timestamp);
        create temp table known_bad (request_id varchar, started_at varchar);
        """
    )
    if any(settings.raw.glob("rejected/*.parquet")):
        connection.execute(
            f"""
            insert into known_bad
            select text ->> '$.request_id', text ->> '$.startTime'
            from (
                select try_cast(text as json) as text
                from read_parquet('{raw}/rejected/*.parquet')
                where starts_with(landing_file, '{FOLDER}/')
            )
            """
        )
    entries = ledger.entries(settings, SOURCE.name)
    if not entries:
        return None
    (newest,) = connection.execute(
        f"select max(last_event_at) from {ledger.relation(entries)} "
        f"where starts_with(landing_file, '{FOLDER}/')"
    ).fetchone()
    if newest is None:
        return None
    since = newest - timedelta(hours=settings.litellm_overlap_hours)
    if not any(settings.raw.glob("litellm/*/*.parquet")):
        return since
    connection.execute(
        f"""
        insert into known
        select
            request_id,
            started_at,
            max(
                case
                    -- What changes of theirs would name them again.
                    when user_id = '(forgotten)' or end_user = '(forgotten)' then 'infinity'
                    else coalesce(updated_at, landed_at)
                end
            )
        from (
            -- Files of earlier versions have no updated_at.
            select null::timestamp as updated_at where false
            union all by name
            from read_parquet(
                '{raw}/litellm/*/*.parquet',
                hive_types = {{'event_date': date}}, union_by_name = true
            )
        )
        where event_date >= cast($since as date) and starts_with(landing_file, '{FOLDER}/')
        group by all
        """,
        {"since": since - _SETTLED_WITHIN},
    )
    return since


def _write_new(connection: duckdb.DuckDBPyConnection, path: Path, is_closed: str) -> int:
    """Write those of the rows that are not known; return how many they are.

    `is_closed` is the condition for rows of days past retention, which raw/ does not know any more.
    """
    as_kept = "(try_cast(shortened(cast(to_json({}) as varchar)) as json) ->> '$')"
    bad_id, bad_time = as_kept.format("request_id"), as_kept.format('"startTime"')
    connection.execute(
        f"""
        create or replace temp table new as
        select * exclude (bad_id, bad_time)
        from (select *, {bad_id} as bad_id, {bad_time} as bad_time from fetched) as fetched
        where not exists (
            from known
            where known.request_id = given(fetched.request_id)
            and known.started_at = {_STARTED_AT}
            and (as_time(fetched.updated_at) > known.known_as_of) is not true
        )
        and not exists (
            from known_bad
            where known_bad.request_id is not distinct from fetched.bad_id
            and known_bad.started_at is not distinct from fetched.bad_time
        )
        and ({is_closed}) is not true
        """
    )
    new = len(connection.table("new"))
    if new:
        connection.execute(f"copy new to '{quoted(path)}' (format json, compression zstd)")
    return new
