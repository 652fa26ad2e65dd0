"""From landing/ to raw/: landed files become typed Parquet, in loads that happen whole or not.

A load is written under raw/.loading, judged, moved into place, and then entered in the ledger
raw/loads. Whatever has no entry there is what a crash left, and is removed before the next load.
"""

import logging
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import duckdb

from orchestration.files import UnreadableFileError, quoted
from orchestration.ingestion.damage import reading_raw
from orchestration.ingestion.landed_file import (
    LandingFile,
    check_compression,
    check_time,
)
from orchestration.ingestion.landing import fetched, list_landed_files
from orchestration.ingestion.loading import load
from orchestration.settings import Settings, UserError
from orchestration.sources import Source

log = logging.getLogger(__name__)

_FILES_A_LOAD = 20_000
_BYTES_A_LOAD = 2 * 1024**3
_FIELDS_NAMED = 12


@dataclass
class Summary:
    """What the ingestion of one source did; `rejections` holds (file, line, reason).

    `rows_read` counts rows of LiteLLM's database, known ones too; None where none was asked.
    """

    files: int = 0
    received: int = 0
    accepted: int = 0
    rejected: int = 0
    rejections: list[tuple[str, int, str]] = field(default_factory=list)
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    new_fields: list[str] = field(default_factory=list)
    rows_read: int | None = None

    def followed_by(self, later: "Summary") -> "Summary":
        """Sum up two ingestions; what lies there unreadable, or ignored, the later one saw too."""
        return replace(
            later,
            files=self.files + later.files,
            received=self.received + later.received,
            accepted=self.accepted + later.accepted,
            rejected=self.rejected + later.rejected,
            rejections=self.rejections + later.rejections,
            new_fields=self.new_fields + later.new_fields,
        )

    def sentence(self) -> str:
        """Say it in a line, and whatever a person should look at in a line each."""
        lines = [f"{self.accepted:,} events from {self.files:,} new files"]
        if not self.files:
            lines = ["nothing new"]
        if self.rejected:
            lines[0] += f", {self.rejected:,} bad records set aside in raw/rejected:"
            lines += [f"{file} line {line}: {why}" for file, line, why in self.rejections[:3]]
            if self.rejected > 3:
                lines.append(f"and {self.rejected - 3:,} more")
        if self.rows_read is not None:
            lines.append(f"{self.rows_read:,} rows of its database were read, known ones too")
        if self.new_fields:
            named = ", ".join(self.new_fields[:_FIELDS_NAMED])
            more = len(self.new_fields) - _FIELDS_NAMED
            named += f" and {more:,} more" if more > 0 else ""
            lines.append(f"fields that are not read, named this once: {named}")
        for file, why in self.unreadable[:10]:
            lines.append(f"{file} cannot be read and is tried again next time: {why}")
        if len(self.unreadable) > 10:
            lines.append(f"and {len(self.unreadable) - 10:,} more cannot be read")
        for file in self.ignored:
            lines.append(f"{file} is ignored: this is no kind of file that is read here")
        return "\n                      ".join(lines)


def ingest(
    settings: Settings, source: Source, on_progress: Callable[[int, int], None] = lambda *_: None
) -> Summary:
    """Take in all files of a source that the ledger does not know in their present state.

    `on_progress` is called with the number of files done and of files in all.

    Raises:
        UserError: a load did not meet its expectations, or could not be written; or the object
            storage that the files land on cannot be read.
    """
    remove_unfinished_loads(settings)
    summary = Summary()
    new, summary.ignored = new_files(settings, source)
    done = 0
    for number, batch in enumerate(_batches(new)):
        readable = []
        load_id = f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{source.name}-{number}"
        try:
            with fetched(settings, batch) as (files, unreadable):
                summary.unreadable += unreadable
                for file in files:
                    try:
                        check_time(file)
                        check_compression(file)
                        readable.append(file)
                    except UnreadableFileError as error:
                        summary.unreadable.append((file.name, str(error)))
                loaded = load(settings, source, readable, load_id) if readable else None
        except (duckdb.IOException, duckdb.OutOfMemoryException, OSError) as error:
            # The night goes on without this source, and must not build on half a load.
            remove_unfinished_loads(settings)
            raise UserError(
                f"Taking in {source.name} stopped: {error}. Nothing of this load was kept; put "
                "that right and run again."
            ) from error
        if loaded:
            summary.files += len(readable) - len(loaded.unreadable)
            summary.received += loaded.received
            summary.accepted += loaded.accepted
            summary.rejected += loaded.rejected
            summary.rejections += loaded.rejections
            summary.unreadable += loaded.unreadable
            summary.new_fields += loaded.new_fields
        done += len(batch)
        on_progress(done, len(new))
    return summary


def new_files(settings: Settings, source: Source) -> tuple[list[LandingFile], list[str]]:
    """List a source's files that the ledger does not know in their present state.

    The second list names files of an unknown kind.

    Raises:
        UserError: the object storage that the files land on cannot be read.
    """
    files, ignored = list_landed_files(settings, source)
    known = _ledger(settings)
    new = [f for f in files if (f.name, f.size_bytes, f.modified_at) not in known]
    return new, ignored


def remove_unfinished_loads(settings: Settings) -> None:
    """Remove what a crash left in raw/: every file whose load the ledger does not name.

    Raises:
        UserError: the ledger is gone, which no crash does.
    """
    shutil.rmtree(settings.raw / ".loading", ignore_errors=True)
    finished = {path.stem for path in (settings.raw / "loads").glob("*.parquet")}
    left = [
        path
        for path in settings.raw.rglob("*.*")
        if path.is_file() and path.stem.split("_")[0] not in finished
    ]
    loads = {path.stem.split("_")[0] for path in left}
    # A crash leaves one load: the next run removes it before it begins another.
    if not finished and len(loads) > 1:
        raise UserError(
            f"The ledger {settings.raw}/loads is empty, though there are events of {len(loads):,} "
            "loads beside it. Put it back from the backup that raw/ came from, all of it."
        )
    for path in left:
        log.warning("Removing %s, which an unfinished load left.", path)
        path.unlink()


def ledger_counts(settings: Settings) -> dict[str, int]:
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
        "loads": sum(1 for _ in settings.raw.glob("loads/*.parquet")),
        "rejected": rejected,
    }


def _ledger(settings: Settings) -> set[tuple[str, int, datetime]]:
    """Return name, size and time of every file that was taken in, as it was then."""
    if not any(settings.raw.glob("loads/*.parquet")):
        return set()
    with reading_raw(settings), duckdb.connect() as connection:
        rows = connection.execute(
            "select landing_file, size_bytes, landed_at "
            f"from read_parquet('{quoted(settings.raw)}/loads/*.parquet')"
        ).fetchall()
    return {(name, size, landed_at.replace(tzinfo=UTC)) for name, size, landed_at in rows}


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
