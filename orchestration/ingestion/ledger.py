"""The ledger of ingestion: what was taken in, in which load.

    raw/loads/<load id>.parquet     a row for each landed file of the load: see sources/profile.sql
    raw/loads/<load id>.sha256      the digests of the load's files in raw/, and of that one
    raw/.loading/<load id>/         a load that is being written; locked as long as somebody does

A load's id, such as 20260131T020000000000-litellm-0, tells when it began and of which source it is.
The names of its files in raw/ begin with it, and its entry in the ledger comes last. What stands in
.loading, has no entry and is not locked is what a crash left, and is removed. Files of any other
load without an entry are not: there the entry is lost. Loads may be written side by side.

A load whose files are read again is replaced by one of the same id with the number of times behind
it, 20260131T020000000000-litellm-0-1. Once that has its entry, the other has happened no more.
"""

import fcntl
import logging
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pandas as pd

from orchestration.digests import ENDING, replacing_listed
from orchestration.files import quoted, replacing, sync, without_wildcards
from orchestration.settings import Settings
from orchestration.sources import Source

log = logging.getLogger(__name__)

_STARTED = "%Y%m%dT%H%M%S%f"
# Of a load's file; with a dot before it, of what was to replace one.
_NAME = re.compile(r"\.?(\d{8}T\d{12}-\w+-\d+(?:-\d+)?)[_.]")
# A landed file as it was when it was taken in: name, size in bytes, time.
State = tuple[str, int, datetime]


def load_id_of(path: Path) -> str:
    """Return the id of the load that a file of raw/ is of, or its name if it is of none."""
    named = _NAME.match(path.name)
    return named[1] if named else path.name


def started_at(load_id: str) -> datetime:
    """Return when a load began, UTC.

    Raises:
        ValueError: it is no load's id.
    """
    return datetime.strptime(load_id.split("-")[0], _STARTED).replace(tzinfo=UTC)


def source_of(load_id: str) -> str:
    """Return the name of the source that a load is of."""
    return load_id.split("-")[1]


def entries(settings: Settings, source: str = "*") -> list[Path]:
    """List the ledger's entries, of one source or of all, oldest first."""
    return sorted((settings.raw / "loads").glob(f"*-{source}-*.parquet"))


def entry(settings: Settings, load_id: str) -> Path:
    """Return where a load's entry is, or will be."""
    return settings.raw / "loads" / f"{load_id}.parquet"


def digests(settings: Settings, load_id: str) -> Path:
    """Return where the digests of a load's files are, or will be.

    Of an earlier version's load there are none until all of raw/ is checked.
    """
    return entry(settings, load_id).with_suffix(ENDING)


def relation(paths: list[Path]) -> str:
    """Write entries as a relation in SQL: one row per landed file."""
    listed = ", ".join(f"'{quoted(without_wildcards(path))}'" for path in paths)
    return f"read_parquet([{listed}], union_by_name = true)"


def files_taken_in(settings: Settings, *paths: Path) -> set[State]:
    """Return name, size in bytes and time of every file that was taken in, as it was then.

    `paths` are entries; without any, all count.

    Raises:
        duckdb.Error: an entry is damaged.
    """
    paths = paths or tuple(entries(settings))
    if not paths:
        return set()
    with duckdb.connect() as connection:
        rows = connection.execute(
            f"select landing_file, size_bytes, landed_at from {relation(list(paths))}"
        ).fetchall()
    return {(name, size, landed_at.replace(tzinfo=UTC)) for name, size, landed_at in rows}


def history(settings: Settings) -> dict[str, list]:
    """Return what was taken in: of each load, by its first id, files, events and a digest.

    The digest is that of the landed files, in the state in which they were taken in. Reading them
    again changes neither it nor their number.

    Raises:
        duckdb.Error: an entry is damaged.
    """
    paths = entries(settings)
    if not paths:
        return {}
    with duckdb.connect() as connection:
        rows = connection.execute(
            f"""
            select
                load_id,
                count(*),
                cast(sum(events_received) as bigint),
                md5(string_agg(
                    concat_ws(' ', landing_file, size_bytes, epoch_us(landed_at)), chr(10)
                    order by landing_file, size_bytes, landed_at
                ))
            from {relation(paths)}
            group by load_id
            order by load_id
            """
        ).fetchall()
    return {first_id(load_id): list(told) for load_id, *told in rows}


def files_read_with_less(
    settings: Settings, source: str, reading: int, is_past: str
) -> dict[str, dict[State, bool]]:
    """Return, by load, the files that were taken in when less was read of a record than now.

    Each with whether it was told already that it is gone. Left out is a file for which the SQL
    condition `is_past` holds.

    Raises:
        duckdb.Error: an entry is damaged.
    """
    loads: dict[str, dict[State, bool]] = {}
    paths = entries(settings, source)
    if not paths:
        return loads
    with duckdb.connect() as connection:
        rows = connection.execute(
            f"""
            select
                load_id, landing_file, size_bytes, landed_at,
                coalesce(told_gone >= $reading, false)
            from (
                select null::integer as reading, null::integer as told_gone where false
                union all by name from {relation(paths)}
            )
            where coalesce(reading, 1) < $reading and ({is_past}) is not true
            order by all
            """,
            {"reading": reading},
        ).fetchall()
    for load_id, name, size, landed_at, is_told in rows:
        loads.setdefault(load_id, {})[name, size, landed_at.replace(tzinfo=UTC)] = is_told
    return loads


def note_gone(settings: Settings, load_id: str, names: list[str], reading: int) -> None:
    """Note of files of a load, or of what replaced it, that it was told that they are gone."""
    path = entry(settings, _id_of_next(load_id))
    if not path.exists():
        path = entry(settings, load_id)
    with replacing_listed(path, path.with_suffix(ENDING)) as new, duckdb.connect() as connection:
        connection.register("gone", pd.DataFrame({"landing_file": names}, dtype="string"))
        connection.execute(
            f"""
            copy (
                select * replace (
                    case
                        when landing_file in (from gone) then {reading} else told_gone
                    end as told_gone
                )
                from (
                    select null::integer as told_gone where false
                    union all by name from '{quoted(without_wildcards(path))}'
                )
            ) to '{quoted(new)}' (format parquet)
            """
        )


@contextmanager
def new_load(
    settings: Settings, source: str, number: int, replaced: str | None = None
) -> Iterator[tuple[str, Path]]:
    """Give a new load its id, and a folder to be written in; `number` is its own within a run.

    As long as this lasts nobody takes the load for what a crash left. What has no entry in the end
    is removed.
    """
    load_id = f"{datetime.now(UTC):{_STARTED}}-{source}-{number}"
    if replaced:
        load_id = _id_of_next(replaced)
    folder = settings.raw / ".loading" / load_id
    folder.mkdir(parents=True)
    lock = folder.with_name(f"{load_id}.lock")
    with folder.with_name(f".{load_id}").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        # Named when it is held: nobody meets it free.
        Path(held.name).rename(lock)
        # Before anything of the load is in raw/: what a crash leaves there is known by this.
        sync(folder.parent)
        try:
            yield load_id, folder
        finally:
            if not entry(settings, load_id).exists():
                remove_load(settings, load_id)
            shutil.rmtree(folder, ignore_errors=True)
            lock.unlink()


def remove_unfinished_loads(settings: Settings) -> None:
    """Remove what a crash left in raw/: loads that began and have no entry, and replaced ones."""
    under_way, dead = _began(settings)
    finished = {load_id_of(path) for path in entries(settings)}
    for load_id in [load_id for load_id in finished if _id_of_next(load_id) in finished]:
        entry(settings, load_id).unlink(missing_ok=True)
        finished.remove(load_id)
    newest = {first_id(load_id): load_id for load_id in sorted(finished, key=_times)}
    for path in _files(settings):
        load_id = load_id_of(path)
        is_replaced = _times(load_id) < _times(newest.get(first_id(load_id), load_id))
        is_unfinished = load_id not in finished and (load_id in dead or is_replaced)
        if is_unfinished or (path.name.startswith(".") and load_id not in under_way):
            log.warning("Removing %s, which an unfinished load left.", path)
            path.unlink(missing_ok=True)
    # Last: by these it is known whose files those were.
    for load_id in dead:
        folder = settings.raw / ".loading" / load_id
        shutil.rmtree(folder, ignore_errors=True)
        for name in (f"{load_id}.lock", f".{load_id}"):
            folder.with_name(name).unlink(missing_ok=True)


def without_entry(settings: Settings) -> dict[str, list[Path]]:
    """Return, by load, the files in raw/ whose entry in the ledger is lost."""
    known = {load_id_of(path) for path in entries(settings)}.union(*_began(settings))
    lost: dict[str, list[Path]] = {}
    for path in _files(settings):
        load_id = load_id_of(path)
        if load_id not in known and path.suffix == ".parquet":
            lost.setdefault(load_id, []).append(path)
    return lost


def enter_anew(settings: Settings, source: Source, load_id: str, files: list[Path]) -> None:
    """Give a load an entry for the one that is lost, as far as its files in raw/ tell.

    Of what size its landed files were they do not tell, so those that are still there are new.
    """
    found = " union all ".join(
        f"select landing_file, landed_at, {time}, {is_bad} as is_bad from {relation([path])}"
        for path in files
        for is_bad in [path.parent.name == "rejected"]
        for time in ["null as event_at" if is_bad else f"{source.time} as event_at"]
    )
    digests(settings, load_id).unlink(missing_ok=True)
    path = entry(settings, load_id)
    path.parent.mkdir(exist_ok=True)
    with replacing(path) as new, duckdb.connect() as connection:
        connection.execute(
            f"""
            copy (
                select
                    '{load_id}' as load_id,
                    '{source.name}' as source,
                    {source.reading} as reading,
                    landing_file,
                    cast(null as bigint) as size_bytes,
                    max(landed_at) as landed_at,
                    count(*) as events_received,
                    count(*) filter (not is_bad) as events_accepted,
                    count(*) filter (is_bad) as events_rejected,
                    min(event_at) as first_event_at,
                    max(event_at) as last_event_at
                from ({found})
                group by landing_file
            ) to '{quoted(new)}' (format parquet)
            """
        )


def files_of_load(settings: Settings, load_id: str) -> list[Path]:
    """List the files of a load's events in raw/."""
    return sorted(settings.raw.glob(f"{source_of(load_id)}/event_date=*/{load_id}_*.parquet"))


def rejected_of_load(settings: Settings, load_id: str) -> Path:
    """Return where a load's rejected records are, if there are any."""
    return settings.raw / "rejected" / f"{load_id}.parquet"


def all_of_load(settings: Settings, load_id: str) -> list[Path]:
    """List all of a load that its digests are of: its entry, its events, what was rejected."""
    paths = (
        entry(settings, load_id),
        *files_of_load(settings, load_id),
        rejected_of_load(settings, load_id),
    )
    return [path for path in paths if path.exists()]


def remove_load(settings: Settings, load_id: str) -> None:
    """Remove a load that has not happened, or another has replaced: its entry first, if any."""
    validations = settings.raw / "validations"
    for path in (
        *all_of_load(settings, load_id),
        *(validations / f"{load_id}{of}.json" for of in ("", "_fields")),
        digests(settings, load_id),
    ):
        path.unlink(missing_ok=True)


def first_id(load_id: str) -> str:
    """Return a load's id without the number of times that it was read again."""
    return "-".join(load_id.split("-")[:3])


def _times(load_id: str) -> int:
    return int([*load_id.split("-"), "0"][3])


def _id_of_next(load_id: str) -> str:
    """Return the id of the load that replaces a load."""
    return f"{first_id(load_id)}-{_times(load_id) + 1}"


def _files(settings: Settings) -> Iterator[Path]:
    """Find all files of loads in raw/, whatever loads these are."""
    for path in settings.raw.glob("[!.]*/**/*.*"):
        if _NAME.match(path.name) and path.is_file():
            yield path


def _began(settings: Settings) -> tuple[set[str], set[str]]:
    """Return the loads that somebody is writing, and those that others have left unwritten."""
    folder = settings.raw / ".loading"
    under_way, dead = set(), {path.name for path in folder.glob("[!.]*/")}
    for lock in folder.glob("*.lock"):
        with lock.open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                dead.add(lock.stem)
            except BlockingIOError:
                under_way.add(lock.stem)
    return under_way, dead - under_way
