"""The ledger of ingestion: what was taken in, in which load.

    raw/loads/<load id>.parquet     a row for each landed file of the load: see sources/profile.sql
    raw/.loading/<load id>/         a load that is being written; locked as long as somebody does

A load's id, such as 20260131T020000000000-litellm-0, tells when it began and of which source it is.
The names of its files in raw/ begin with it, and its entry in the ledger comes last: a file whose
load has no entry is what a crash left. Loads may be written side by side.

A load whose files are read again is replaced by one of the same id with the number of times behind
it, 20260131T020000000000-litellm-0-1. Once that has its entry, the other has happened no more.
"""

import fcntl
import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pandas as pd

from orchestration.files import quoted, replacing, without_wildcards
from orchestration.settings import Settings, UserError

log = logging.getLogger(__name__)

_STARTED = "%Y%m%dT%H%M%S%f"
# A landed file as it was when it was taken in: name, size in bytes, time.
State = tuple[str, int, datetime]


def load_id_of(path: Path) -> str:
    """Return the id of the load that a file of raw/ is of."""
    return path.stem.split("_")[0]


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
    with replacing(path) as new, duckdb.connect() as connection:
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

    As long as this lasts nobody takes the load for what a crash left.
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
        try:
            yield load_id, folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            lock.unlink()


def remove_unfinished_loads(settings: Settings) -> None:
    """Remove what a crash left in raw/: every file whose load is neither finished nor under way.

    Raises:
        UserError: the ledger is gone, which no crash does.
    """
    under_way = _under_way(settings)
    finished = {load_id_of(path) for path in entries(settings)}
    for load_id in [load_id for load_id in finished if _id_of_next(load_id) in finished]:
        entry(settings, load_id).unlink(missing_ok=True)
        finished.remove(load_id)
    left = [
        path
        for path in settings.raw.rglob("*.*")
        if path.is_file()
        and path.relative_to(settings.raw).parts[0] != ".loading"
        and load_id_of(path) not in finished | under_way
    ]
    loads = {load_id_of(path) for path in left}
    # A crash leaves one load: the next run removes it before it begins another.
    if not finished and len(loads) > 1:
        raise UserError(
            f"The ledger {settings.raw}/loads is empty, though there are events of {len(loads):,} "
            "loads beside it. Put it back from the backup that raw/ came from, all of it."
        )
    for path in left:
        log.warning("Removing %s, which an unfinished load left.", path)
        path.unlink(missing_ok=True)


def files_of_load(settings: Settings, load_id: str) -> list[Path]:
    """List the files of a load's events in raw/."""
    return sorted(settings.raw.glob(f"{source_of(load_id)}/event_date=*/{load_id}_*.parquet"))


def rejected_of_load(settings: Settings, load_id: str) -> Path:
    """Return where a load's rejected records are, if there are any."""
    return settings.raw / "rejected" / f"{load_id}.parquet"


def remove_replaced(settings: Settings, load_id: str) -> None:
    """Remove a load that another has replaced: its entry first, and then its files in raw/."""
    validations = settings.raw / "validations"
    for path in (
        entry(settings, load_id),
        *files_of_load(settings, load_id),
        rejected_of_load(settings, load_id),
        *(validations / f"{load_id}{of}.json" for of in ("", "_fields")),
    ):
        path.unlink(missing_ok=True)


def _id_of_next(load_id: str) -> str:
    """Return the id of the load that replaces a load."""
    *first, times = load_id.split("-") if load_id.count("-") > 2 else (*load_id.split("-"), "0")
    return "-".join((*first, str(int(times) + 1)))


def _under_way(settings: Settings) -> set[str]:
    """Return the loads that somebody is writing; remove what others have left unwritten."""
    under_way = set()
    for lock in (settings.raw / ".loading").glob("*.lock"):
        with lock.open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                lock.unlink()
            except BlockingIOError:
                under_way.add(lock.stem)
    for folder in (settings.raw / ".loading").glob("[!.]*/"):
        if folder.name not in under_way:
            shutil.rmtree(folder, ignore_errors=True)
            # Whoever died before it was held.
            folder.with_name(f".{folder.name}").unlink(missing_ok=True)
    return under_way
