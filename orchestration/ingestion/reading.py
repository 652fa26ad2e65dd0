"""Landed files as the relation `landing`: file, line number, and the declared columns as text.

What cannot even be read as a record goes to the table `rejected`, with its line and the reason.
What is of another kind is counted in the table `others`, by file and the kind's place in KINDS.
"""

import json
from itertools import islice
from pathlib import Path

import duckdb
import pandas as pd

from orchestration.files import UnreadableFileError, quoted, without_wildcards
from orchestration.ingestion.landed_file import LONGEST_LINE_BYTES, LandingFile
from orchestration.ingestion.records import read_records
from orchestration.sources.others import KINDS, kind_of, sql_of_kind
from orchestration.sources.source import Source, duckdb_type

_LINES_AT_ONCE = 50_000
# What DuckDB says of a value that an expression cannot take.
_BAD_VALUE = (duckdb.DataError, duckdb.InvalidInputException)


def register_files(connection: duckdb.DuckDBPyConnection, files: list[LandingFile]) -> None:
    """Make the tables `files`, and `rejected` and `others` for what is no event in them."""
    listed = pd.DataFrame(
        [
            (str(file.path), file.name, file.size_bytes, file.modified_at.replace(tzinfo=None))
            for file in files
        ],
        columns=["path", "landing_file", "size_bytes", "landed_at"],
    ).astype({"landed_at": "datetime64[us]"})
    connection.register("listed", listed)
    connection.execute(
        """
        create temp table files as from listed;
        create temp table rejected (
            landing_file varchar, line_number bigint, reason varchar, text varchar,
            event_at timestamp
        );
        create temp table others (landing_file varchar, kind integer, records bigint);
        """
    )


def type_records(connection: duckdb.DuckDBPyConnection, source: Source, query: str) -> None:
    """Make the table `typed` of what has landed, and put what is bad of it into `rejected`."""
    try:
        connection.execute(f"create temp table typed as {query}")
    except _BAD_VALUE:
        good = _reject_what_fails(connection, query)
        connection.execute(f"create temp table typed as {good}")
    connection.execute(
        f"""
        insert into rejected
        select
            landing_file,
            line_number,
            reject_reason,
            shortened(cast(to_json(reject_text) as varchar)),
            case
                when {source.time} between timestamp '2000-01-01'
                    and cast(now() as timestamp) then {source.time}
            end
        from typed
        where reject_reason <> '';
        """
    )


def _reject_what_fails(connection: duckdb.DuckDBPyConnection, query: str) -> str:
    """Put the records into `rejected` on which the query itself fails; return it for the others.

    They are found by halving. What DuckDB says of them may be anybody's prompt, and is not kept.
    """
    connection.execute(
        """
        create temp table landed as select *, row_number() over () as place from landing;
        create temp table failing (place bigint);
        """
    )
    of_some = "with landing as (select * exclude (place) from landed where place {0}) "
    of_some += f"select * from ({query.replace('{', '{{').replace('}', '}}')}\n)"
    parts = [(1, len(connection.table("landed")))]
    while parts:
        first, last = parts.pop()
        part = of_some.format(f"between {first} and {last}")
        try:
            connection.execute(f"create or replace temp table tried as {part}")
        except _BAD_VALUE:
            middle = (first + last) // 2
            if first == last:
                connection.execute("insert into failing values (?)", [first])
            else:
                parts += [(first, middle), (middle + 1, last)]
    connection.execute(
        """
        insert into rejected
        select landing_file, line_number, 'a value in it is out of range', null, null
        from landed where place in (from failing)
        """
    )
    return of_some.format("not in (from failing)")


def land_json(connection: duckdb.DuckDBPyConnection, source: Source, paths: list[Path]) -> None:
    """Let DuckDB read JSON lines by itself. Any fault in them is an error once it is queried."""
    # DuckDB lets a line be twice as long as the size that it is told.
    columns = {name: duckdb_type(inner) for name, inner in source.structure.items()}
    # A record without the fields by which the source is known may be of another kind.
    is_marked = " and ".join(
        f"case when records.\"{name}\" is null then error('no {name}') else true end"
        for name in source.marks
    )
    listed = ", ".join(f"'{quoted(without_wildcards(path))}'" for path in paths)
    connection.execute(
        f"""
        create or replace temp view landing as
        select files.landing_file, null::bigint as line_number, records.* exclude (filename)
        from read_json(
            [{listed}], columns = {columns},
            format = 'newline_delimited', records = true, filename = true,
            hive_partitioning = false,
            maximum_object_size = {LONGEST_LINE_BYTES // 2}
        ) as records
        inner join files on records.filename = files.path
        where {is_marked}
        """
    )


def land_lines(
    connection: duckdb.DuckDBPyConnection,
    source: Source,
    files: list[LandingFile],
    most: int | None = None,
) -> list[tuple[str, str]]:
    """Read JSON or CSV line by line; return the files that cannot be read, and why.

    Of each file no more than the first so many records, if `most` says how many.
    """
    connection.execute(
        "create temp table lines "
        "(landing_file varchar, line_number bigint, line varchar, problem varchar, kind integer)"
    )
    unreadable = []
    rows: list[tuple] = []
    size = 0

    def flush() -> None:
        columns = ["landing_file", "line_number", "line", "problem"]
        frame = pd.DataFrame(rows, columns=columns, dtype=object).astype({"line_number": "int64"})
        connection.register("frame", frame)
        connection.execute("insert into lines by name from frame")
        connection.unregister("frame")
        rows.clear()

    for file in files:
        try:
            for number, line, problem in islice(read_records(file, source), most):
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

    # What is not read may stand twice, as DuckDB takes it by itself.
    read = f"({', '.join(repr(name) for name in source.structure)})"
    # Of a line that is no record only the names of known fields are kept: the rest of it may be
    # anybody's prompt.
    connection.execute(
        f"""
        update lines set problem = case
            when not json_valid(line) then 'the line is not JSON'
            when json_type(line) <> 'OBJECT' then 'the line is not a JSON object'
            when len(list_filter(json_keys(line), lambda name: name in {read}))
                > len(list_distinct(list_filter(json_keys(line), lambda name: name in {read})))
                then 'a field stands twice in the line'
        end where problem is null;

        update lines set kind = {sql_of_kind("json_keys(line)", source)} where problem is null;

        insert into others
        select landing_file, kind, count(*) from lines where kind is not null group by all;

        insert into rejected
        select landing_file, line_number, problem, 'fields: ' || array_to_string(
            regexp_extract_all(left(line, 100000), '"({"|".join(source.structure)})"'), ' '
        ), null
        from lines where problem is not null;

        create or replace temp view landing as
        select
            landing_file, line_number, unnest(from_json(line, '{json.dumps(source.structure)}'))
        from lines where problem is null and kind is null;
        """
    )
    return unreadable


def land_parquet(
    connection: duckdb.DuckDBPyConnection,
    source: Source,
    files: list[LandingFile],
    most: int | None = None,
) -> list[tuple[str, str]]:
    """Read Parquet, whatever of the columns it has, likewise."""
    fields = ", ".join(f"{name} {duckdb_type(kind)}" for name, kind in source.structure.items())
    connection.execute(
        f"create or replace temp table landing (landing_file varchar, line_number bigint, {fields})"
    )
    unreadable = []
    for file in files:
        path = quoted(without_wildcards(file.path))
        options = "file_row_number = true, hive_partitioning = false, binary_as_string = true"
        relation = (
            f"(from read_parquet('{path}', {options}) limit {'all' if most is None else most})"
        )
        try:
            present = {row[0] for row in connection.execute(f"describe from {relation}").fetchall()}
            if other := kind_of(present, source):
                connection.execute(
                    f"insert into others select ?, {KINDS.index(other)}, count(*) from {relation}",
                    [file.name],
                )
                continue
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
