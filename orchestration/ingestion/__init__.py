"""From landing/ to raw/: landed files become typed Parquet, in loads that happen whole or not.

A load is written under raw/.loading, judged, moved into place, and then entered in the ledger.
"""

from collections.abc import Callable, Iterator

import duckdb

from orchestration.files import UnreadableFileError, quoted
from orchestration.ingestion import ledger
from orchestration.ingestion.damage import reading_raw
from orchestration.ingestion.landed_file import LandingFile, check_content, check_time
from orchestration.ingestion.landing import fetched, list_landed_files
from orchestration.ingestion.loading import Load
from orchestration.ingestion.loading_again import LoadAgain
from orchestration.ingestion.summary import Summary
from orchestration.settings import Settings, UserError
from orchestration.sources import Source
from orchestration.warehouse.archive import is_archived

_FILES_A_LOAD = 20_000
_BYTES_A_LOAD = 2 * 1024**3


def ingest(
    settings: Settings, source: Source, on_progress: Callable[[int, int], None] = lambda *_: None
) -> Summary:
    """Take in all files of a source that the ledger does not know in their present state.

    `on_progress` is called with the number of files done and of files in all.

    Raises:
        UserError: a load did not meet its expectations, or could not be written; or the object
            storage that the files land on cannot be read.
    """
    ledger.remove_unfinished_loads(settings)
    landed, ignored = list_landed_files(settings, source)
    again, gone = _files_read_with_less(settings, source, landed)
    # First: what is new is compared with what was read before, in the same terms.
    batches = [*again.items(), *((None, batch) for batch in _batches(_new(settings, landed)))]
    total = sum(len(batch) for _, batch in batches)
    summary = Summary(ignored=ignored)
    done = 0
    for number, (replaced, batch) in enumerate(batches):
        try:
            summary += _load(settings, source, batch, number, replaced)
        except (duckdb.Error, OSError) as error:
            # The night goes on without this source, and must not build on half a load.
            ledger.remove_unfinished_loads(settings)
            raise UserError(
                f"Taking in {source.name} stopped: {error}. Nothing of this load was kept; put "
                "that right and run again."
            ) from error
        done += len(batch)
        on_progress(done, total)
    for load_id, names in gone.items():
        ledger.note_gone(settings, load_id, names, source.reading)
    summary.gone = sum(map(len, gone.values()))
    return summary


def new_files(settings: Settings, source: Source) -> tuple[list[LandingFile], list[str]]:
    """List a source's files that the ledger does not know in their present state.

    The second list names files of an unknown kind.

    Raises:
        UserError: the object storage that the files land on cannot be read.
    """
    files, ignored = list_landed_files(settings, source)
    return _new(settings, files), ignored


def counts(settings: Settings) -> dict[str, int]:
    """Count what raw/ holds: event files, loads, and rejected records."""
    with reading_raw(settings), duckdb.connect() as connection:
        rejected = 0
        if any(settings.raw.glob("rejected/*.parquet")):
            query = (
                f"select count(*) from read_parquet('{quoted(settings.raw)}/rejected/*.parquet')"
            )
            (rejected,) = connection.execute(query).fetchone()
    return {
        "files": sum(1 for _ in settings.raw.glob("*/event_date=*/*.parquet")),
        "loads": len(ledger.entries(settings)),
        "rejected": rejected,
    }


def _new(settings: Settings, files: list[LandingFile]) -> list[LandingFile]:
    with reading_raw(settings):
        known = ledger.files_taken_in(settings)
    return [file for file in files if file.state not in known]


def _files_read_with_less(
    settings: Settings, source: Source, files: list[LandingFile]
) -> tuple[dict[str, list[LandingFile]], dict[str, list[str]]]:
    """Return what was taken in when less was read of a record than now, by load.

    First the files that can be read again, and then the names of those that are not there any more
    as they were, as far as that was not told before.
    """
    is_past = is_archived(settings, "coalesce(last_event_at, landed_at)")
    with reading_raw(settings):
        loads = ledger.files_read_with_less(settings, source.name, source.reading, is_past)
    there = {file.state: file for file in files}
    again = {
        load_id: [there[state] for state in states if state in there]
        for load_id, states in loads.items()
    }
    gone = {
        load_id: [
            state[0] for state, is_told in states.items() if not is_told and state not in there
        ]
        for load_id, states in loads.items()
    }
    return (
        {load_id: batch for load_id, batch in again.items() if batch},
        {load_id: names for load_id, names in gone.items() if names},
    )


def _load(
    settings: Settings,
    source: Source,
    batch: list[LandingFile],
    number: int,
    replaced: str | None,
) -> Summary:
    """Take in a batch as a load, but for those files that cannot be read as they are.

    `replaced` is the load that took the files in before.
    """
    listed = {file.state for file in batch}
    with fetched(settings, batch) as (files, unreadable):
        readable = []
        for file in files:
            # What has changed since it was listed is read as a new file, the next time.
            if replaced and file.state not in listed:
                continue
            try:
                check_time(file)
                check_content(file)
                readable.append(file)
            except UnreadableFileError as error:
                unreadable.append((file.name, str(error)))
        summary = Summary(unreadable=unreadable)
        if readable:
            with ledger.new_load(settings, source.name, number, replaced) as (load_id, folder):
                what = (settings, source, readable, load_id, folder)
                summary += (LoadAgain(*what, replaced) if replaced else Load(*what)).run()
    return summary


def _batches(files: list[LandingFile]) -> Iterator[list[LandingFile]]:
    """Split into loads of files of one format, of bounded number and size."""
    for wanted in sorted({file.format for file in files}):
        batch: list[LandingFile] = []
        size = 0
        for file in (f for f in files if f.format == wanted):
            if batch and (len(batch) == _FILES_A_LOAD or size + file.size_bytes > _BYTES_A_LOAD):
                yield batch
                batch, size = [], 0
            batch.append(file)
            size += file.size_bytes
        yield batch
