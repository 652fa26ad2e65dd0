"""Files that are not as they were written: which they are, and how the tables come back."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from orchestration.files import quoted
from orchestration.ingestion import ledger
from orchestration.ingestion.landing import list_landed_files
from orchestration.settings import Settings, UserError
from orchestration.sources import SOURCES
from orchestration.warehouse.archive import archive_files


def damaged_raw_files(settings: Settings) -> str:
    """Name the files of raw/ and archive/ that cannot be read to their end; say what to do."""
    said = []
    with duckdb.connect() as connection:
        for path in (*sorted(settings.raw.glob("[!.]*/**/*.parquet")), *archive_files(settings)):
            try:
                connection.execute(f"select sum(hash(columns(*))) from '{quoted(path)}'")
            except duckdb.Error as error:
                why = str(error).splitlines()[0]
                said.append(f"  {path} is damaged: {why}\n  {_cure(settings, path)}")
    return "\n".join(said)


def _cure(settings: Settings, path: Path) -> str:
    if path.is_relative_to(settings.archive):
        return "Put it back from a backup of archive/ and run again: nothing else has its days."
    entry = ledger.entry(settings, ledger.load_id_of(path))
    again = (
        f"delete {entry}: the next run removes all else of that load, and takes in again what is "
        "in landing/"
    )
    backup = "Put it back from a backup of raw/ and run again. Without one"
    try:
        files = sorted(ledger.files_taken_in(settings, entry))
        landed = {
            (file.name, file.size_bytes, file.modified_at)
            for source in SOURCES
            for file in list_landed_files(settings, source)[0]
        }
    except (duckdb.Error, UserError):
        return f"{backup}, {again}. Which files those should be cannot be told now."
    gone = [file[0] for file in files if file not in landed]
    if not gone:
        return f"{backup}, {again}, which has all {len(files):,} files that the load is made of."
    return (
        f"{backup}, first put back into landing/ what is no longer there as it was, "
        f"{len(gone):,} of the {len(files):,} files that the load is made of, such as {gone[0]}; "
        f"then {again}."
    )


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
