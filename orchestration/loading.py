"""One load: some landed files of one source and one format become Parquet in raw/."""

import json
import os
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import pandas as pd

from orchestration import expectations
from orchestration.landing import LONGEST_LINE_BYTES, LandingFile, UnreadableFileError, read_lines
from orchestration.settings import Settings
from orchestration.sources import MACROS, Source, duckdb_type

_LINES_AT_ONCE = 50_000


@dataclass
class Loaded:
    """Events of one load; `rejections` holds the first few as (file, line, reason)."""

    received: int
    accepted: int
    rejected: int
    rejections: list[tuple[str, int, str]]
    unreadable: list[tuple[str, str]] = field(default_factory=list)


def load(settings: Settings, source: Source, files: list[LandingFile], load_id: str) -> Loaded:
    """Write the events of the files to raw/, the bad records to raw/rejected/, then the ledger.

    Raises:
        UserError: the load did not meet its expectations. Nothing of it is kept.
    """
    work = settings.raw / ".loading"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    with duckdb.connect(config={"temp_directory": str(settings.home / "tmp")}) as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(MACROS)
        _register(connection, files)
        unreadable: list[tuple[str, str]] = []
        if not _write_if_all_is_good(connection, source, files, work, load_id):
            unreadable = _write_good_and_bad(connection, source, files, work, load_id)
        profile = _profile(connection, source, work, load_id)
        rejections = connection.execute(
            "select landing_file, line_number, reason from rejected order by all limit 3"
        ).fetchall()
        expectations.judge_load(profile, load_id, work / f"{load_id}.json")
        _write_ledger(connection, profile, work, load_id)
    _move_into_place(settings.raw, source, work, load_id)
    totals = profile[["events_received", "events_accepted", "events_rejected"]].sum()
    return Loaded(*(int(total) for total in totals), rejections, unreadable)


def _register(connection: duckdb.DuckDBPyConnection, files: list[LandingFile]) -> None:
    frame = pd.DataFrame(
        [(str(f.path), f.name, f.size_bytes, f.modified_at.replace(tzinfo=None)) for f in files],
        columns=["path", "landing_file", "size_bytes", "landed_at"],
    ).astype({"landed_at": "datetime64[us]"})
    connection.register("frame", frame)
    connection.execute(
        """
        create temp table files as select * from frame;
        create temp table rejected (
            landing_file varchar, line_number bigint, reason varchar, text varchar, event_date date
        );
        """
    )
    connection.unregister("frame")


def _write_if_all_is_good(
    connection: duckdb.DuckDBPyConnection,
    source: Source,
    files: list[LandingFile],
    work: Path,
    load_id: str,
) -> bool:
    """Let DuckDB read JSON files by itself, which is fast; return False if anything is wrong.

    It cannot tell in which line a fault is, so such a load is read again line by line.
    """
    paths = [_without_wildcards(file.path) for file in files if file.size_bytes]
    if not paths or files[0].format in (".csv", ".parquet"):
        return False
    columns = {name: duckdb_type(inner) for name, inner in source.structure.items()}
    try:
        connection.execute(
            f"""
            create temp view landing as
            select files.landing_file, null::bigint as line_number, records.* exclude (filename)
            from read_json(
                {paths}, columns = {columns}, format = 'newline_delimited', filename = true,
                maximum_object_size = {LONGEST_LINE_BYTES}
            ) as records
            inner join files on records.filename = files.path
            """
        )
        _write_events(connection, f"({source.query})", work, load_id)
    except (duckdb.InvalidInputException, duckdb.ConversionException):
        return False
    if not any(work.rglob("*.parquet")):
        return True
    bad = f"select count(reject_reason) from read_parquet('{work}/events/*/*.parquet')"
    return connection.execute(bad).fetchone() == (0,)


def _write_good_and_bad(
    connection: duckdb.DuckDBPyConnection,
    source: Source,
    files: list[LandingFile],
    work: Path,
    load_id: str,
) -> list[tuple[str, str]]:
    """Read line by line, part the good events from the bad, and return what could not be read."""
    shutil.rmtree(work)
    work.mkdir()
    land = _land_parquet if files[0].format == ".parquet" else _land_lines
    unreadable = land(connection, source, files)
    connection.execute(
        f"""
        create temp table typed as {source.query};

        insert into rejected
        select
            landing_file, line_number, reject_reason,
            -- Cut, since a value in the wrong place may be anything.
            regexp_replace(
                cast(to_json(reject_text) as varchar), '"([^"]{{40}})[^"]*"', '"\\1..."', 'g'
            ),
            case when event_date between date '2000-01-01' and current_date then event_date end
        from typed where reject_reason <> '';
        """
    )
    _write_events(connection, "(from typed where reject_reason = '')", work, load_id)
    connection.execute(
        f"""
        copy (
            select '{source.name}' as source, rejected.*, files.landed_at
            from rejected inner join files using (landing_file)
            order by landing_file, line_number
        ) to '{work}/rejected.parquet'
        """
    )
    return unreadable


def _land_lines(
    connection: duckdb.DuckDBPyConnection, source: Source, files: list[LandingFile]
) -> list[tuple[str, str]]:
    connection.execute(
        "create temp table lines "
        "(landing_file varchar, line_number bigint, line varchar, problem varchar)"
    )
    unreadable = []
    rows: list[tuple] = []
    size = 0

    def flush() -> None:
        columns = ["landing_file", "line_number", "line", "problem"]
        frame = pd.DataFrame(rows, columns=columns, dtype=object).astype({"line_number": "int64"})
        connection.register("frame", frame)
        connection.execute("insert into lines from frame")
        connection.unregister("frame")
        rows.clear()

    for file in files:
        try:
            for number, line, problem in read_lines(file, source):
                rows.append((file.name, number, line, problem))
                size += len(line or "")
                if len(rows) == _LINES_AT_ONCE or size > LONGEST_LINE_BYTES:
                    flush()
                    size = 0
        except UnreadableFileError as error:
            unreadable.append((file.name, str(error)))
    flush()
    for name, _ in unreadable:
        connection.execute("delete from lines where landing_file = ?", [name])
        connection.execute("delete from files where landing_file = ?", [name])

    # Of a line that is no record only the names of known fields are kept: the rest of it may be
    # anybody's prompt.
    connection.execute(
        f"""
        update lines set problem = case
            when not json_valid(line) then 'the line is not JSON'
            when json_type(line) <> 'OBJECT' then 'the line is not a JSON object'
            when len(json_keys(line)) > len(list_distinct(json_keys(line)))
                then 'a field stands twice in the line'
        end where problem is null;

        insert into rejected
        select landing_file, line_number, problem, 'fields: ' || array_to_string(
            regexp_extract_all(left(line, 100000), '"({"|".join(source.structure)})"'), ' '
        ), null
        from lines where problem is not null;

        create or replace temp view landing as
        select
            landing_file, line_number, unnest(from_json(line, '{json.dumps(source.structure)}'))
        from lines where problem is null;
        """
    )
    return unreadable


def _land_parquet(
    connection: duckdb.DuckDBPyConnection, source: Source, files: list[LandingFile]
) -> list[tuple[str, str]]:
    fields = ", ".join(f"{name} {duckdb_type(kind)}" for name, kind in source.structure.items())
    connection.execute(
        f"create or replace temp table landing (landing_file varchar, line_number bigint, {fields})"
    )
    unreadable = []
    for file in files:
        relation = f"read_parquet('{_quoted(_without_wildcards(file.path))}', file_row_number = true)"
        try:
            present = {row[0] for row in connection.execute(f"describe from {relation}").fetchall()}
            wanted = [name for name in source.structure if name in present]
            connection.execute(
                f"""
                insert into landing by name
                select ? as landing_file, file_row_number + 1 as line_number,
                {", ".join(f'cast("{name}" as varchar) as "{name}"' for name in wanted)}
                from {relation}
                """,
                [file.name],
            )
        except duckdb.Error as error:
            unreadable.append((file.name, f"not a Parquet file: {str(error).splitlines()[0]}"))
            connection.execute("delete from files where landing_file = ?", [file.name])
    return unreadable


def _write_events(
    connection: duckdb.DuckDBPyConnection, events: str, work: Path, load_id: str
) -> None:
    connection.execute(
        f"""
        copy (
            select
                events.* exclude (line_number, reject_text)
                    replace (nullif(reject_reason, '') as reject_reason),
                files.landed_at
            from {events} as events
            inner join files using (landing_file)
        ) to '{_quoted(str(work))}/events' (
            format parquet, compression zstd, partition_by (event_date),
            filename_pattern '{load_id}_{{i}}'
        )
        """
    )


def _profile(
    connection: duckdb.DuckDBPyConnection, source: Source, work: Path, load_id: str
) -> pd.DataFrame:
    """One row per landing file: counts of events, and the extremes that expectations judge."""
    tokens = ", ".join(source.tokens)
    if any(work.rglob(f"{load_id}_*.parquet")):
        events = f"read_parquet('{_quoted(str(work))}/events/*/*.parquet')"
    else:
        nothing = ", ".join(f"null::bigint as {name}" for name in source.tokens)
        events = (
            f"(select landing_file, null as {source.key}, landed_at as {source.time}, "
            f"false as is_genai, {nothing} from files where false)"
        )
    return connection.execute(
        f"""
        with good as (
            select
                landing_file,
                count(*) filter ({source.counted}) as accepted,
                count(*) - count({source.key}) as without_key,
                min({source.time}) as first_at,
                max({source.time}) as last_at,
                min(least({tokens})) as fewest_tokens,
                max(greatest({tokens})) as most_tokens
            from {events}
            group by all
        ),

        bad as (
            select landing_file, count(*) as rejected from rejected group by all
        )

        select
            '{load_id}' as load_id,
            '{source.name}' as source,
            landing_file,
            size_bytes,
            landed_at,
            coalesce(accepted, 0) + coalesce(rejected, 0) as events_received,
            coalesce(accepted, 0) as events_accepted,
            coalesce(rejected, 0) as events_rejected,
            coalesce(without_key, 0) as events_without_key,
            first_at as first_event_at,
            last_at as last_event_at,
            fewest_tokens,
            most_tokens
        from files
        left join good using (landing_file)
        left join bad using (landing_file)
        order by landing_file
        """
    ).df()


def _write_ledger(
    connection: duckdb.DuckDBPyConnection, profile: pd.DataFrame, work: Path, load_id: str
) -> None:
    connection.register("profile", profile)
    connection.execute(
        f"copy (from profile) to '{_quoted(str(work))}/{load_id}.parquet' (format parquet)"
    )


def _move_into_place(raw: Path, source: Source, work: Path, load_id: str) -> None:
    """Move what was written from `work` to `raw`, the ledger's entry last."""
    moves = [
        (path, raw / source.name / path.parent.name / path.name)
        for path in sorted((work / "events").glob("*/*.parquet"))
    ]
    moves += [
        (work / "rejected.parquet", raw / "rejected" / f"{load_id}.parquet"),
        (work / f"{load_id}.json", raw / "validations" / f"{load_id}.json"),
        (work / f"{load_id}.parquet", raw / "loads" / f"{load_id}.parquet"),
    ]
    for path, target in moves:
        if path.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            _sync(path)
            path.replace(target)
            _sync(target.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _without_wildcards(path: Path) -> str:
    """Write a path so that DuckDB takes *, ? and [ in it for themselves."""
    return re.sub(r"([*?\[])", r"[\1]", str(path))


def _quoted(text: str) -> str:
    return text.replace("'", "''")
