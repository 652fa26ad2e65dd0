"""Sources whose records change: what is new in them is named once, what is lost stops the load.

Both are told from the ledger: its profiles say what earlier loads had, and what was named already.
"""

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from orchestration.files import UnreadableFileError, quoted, without_wildcards
from orchestration.ingestion import ledger
from orchestration.ingestion.landed_file import LandingFile, open_file
from orchestration.ingestion.records import read_records
from orchestration.settings import Settings
from orchestration.sources.others import kind_of
from orchestration.sources.source import Source, Structure

_JUDGED = Path(__file__).with_suffix(".sql").read_text()
# What is looked up in the ledger; that of an earlier version may lack some of it.
_HISTORY = """
    select
        null::varchar as load_id, null::varchar as landing_file, null::bigint as events_received,
        null::bigint as events_succeeded, null::map(varchar, bigint) as events_with,
        null::map(varchar, bigint) as events_wrong, null::varchar[] as new_fields
    where false
"""
# A load of fewer events says nothing of the format.
_HANDFUL = 30
_LOADS_LOOKED_AT = 50
_FILES_SAMPLED, _RECORDS_SAMPLED, _LINE_BYTES = 200, 20, 1024**2
_NAMES_A_LOAD, _NAMES_A_SOURCE = 50, 500
# What has spaces or dashes in it may be anything that somebody wrote, and is not named.
_NAME = re.compile(r"(?=.{1,60}$)[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", re.ASCII)


def new_fields(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    source: Source,
    files: list[LandingFile],
) -> pd.DataFrame:
    """Return fields that are not read and that no load before had: columns landing_file, name.

    Looked at are the first 20 records of at most 200 files, and only where the declared structure
    goes: nothing within what is not read. A name must stand in two records, or it might be data.
    """
    found: Counter[str] = Counter()
    first: dict[str, str] = {}
    for file in files[:: -(-len(files) // _FILES_SAMPLED)]:
        try:
            for names in unread(connection, source, file):
                found.update(names)
                first |= {name: file.name for name in names if name not in first}
        except (UnreadableFileError, UnicodeDecodeError, csv.Error, duckdb.Error):
            continue  # whoever reads the whole file says what is wrong with it
    names = {name for name, records in found.items() if records > 1 and is_name(name)}
    if names:
        named = connection.execute(
            f"select unnest(new_fields) from ({_history(settings, source)})"
        ).fetchall()
        room = max(0, min(_NAMES_A_LOAD, _NAMES_A_SOURCE - len(named)))
        names = sorted(names - {name for (name,) in named})[:room]
    rows = [(first[name], name) for name in names]
    return pd.DataFrame(rows, columns=["landing_file", "name"], dtype="string")


def is_name(name: str) -> bool:
    """Whether it is a field's name, and no text that stands where one would be."""
    return _NAME.fullmatch(name) is not None


def judged_fields(
    connection: duckdb.DuckDBPyConnection, settings: Settings, source: Source, file_format: str
) -> pd.DataFrame:
    """Compare the table `profile` of a load with loads of the same format: see schema_drift.sql.

    AI_USAGE_ACCEPT_CHANGES=1 accepts whatever is lost, and later loads are compared with this one.
    """
    history = _history(settings, source, _LOADS_LOOKED_AT)
    connection.execute(f"create temp view history as {history}")
    parameters = {"format": file_format, "handful": _HANDFUL}
    frame = connection.execute(_JUDGED, parameters).df()
    return frame.head(0) if settings.accept_changes else frame


def _history(settings: Settings, source: Source, loads: int = 0) -> str:
    """SQL for the newest profiles of a source, or for all."""
    paths = ledger.entries(settings, source.name)[-loads:]
    return f"{_HISTORY} union all by name from {ledger.relation(paths)}" if paths else _HISTORY


def unread(
    connection: duckdb.DuckDBPyConnection, source: Source, file: LandingFile
) -> Iterator[set[str]]:
    """Yield for each sampled record the names of fields that are not declared."""
    if file.format == ".parquet":
        relation = f"read_parquet('{quoted(without_wildcards(file.path))}')"
        columns = [name for name, *_ in connection.execute(f"describe from {relation}").fetchall()]
    elif file.format == ".csv":
        with open_file(file.path) as stream:
            line = stream.readline(_LINE_BYTES).decode("utf-8-sig")
        columns = [name.strip() for name in next(csv.reader(io.StringIO(line)), [])]
    else:
        query = source.query
        for _, text, _ in islice(read_records(file, source), _RECORDS_SAMPLED):
            try:
                record = json.loads(text) if text and len(text) < _LINE_BYTES else None
            except (json.JSONDecodeError, RecursionError):
                continue
            if isinstance(record, dict) and not kind_of(record, source):
                yield set(_undeclared(record, source.structure, source, query))
        return
    if not kind_of(columns, source):
        # They are those of every row.
        yield from [set(columns) - source.structure.keys()] * 2


def _undeclared(
    value: Any, structure: Structure, source: Source, query: str, path: str = ""
) -> Iterator[str]:
    if isinstance(structure, list) and isinstance(value, list):
        for item in value:
            yield from _undeclared(item, structure[0], source, query, path)
    elif isinstance(structure, dict) and isinstance(value, dict):
        for name, inner in value.items():
            if name in structure:
                yield from _undeclared(inner, structure[name], source, query, f"{path}{name}.")
            else:
                yield path + name
        # Others may tell of anything.
        key = value.get("key") if structure.keys() == {"key", "value"} else None
        is_of_use = source.attributes_of_use and str(key).startswith(source.attributes_of_use)
        if is_of_use and f"'{key}'" not in query:
            yield key
