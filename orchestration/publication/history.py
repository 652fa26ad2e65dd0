"""What was once taken in only grows: the ledger and the archive have all that is published."""

import json
from pathlib import Path

import duckdb

from orchestration.ingestion import ledger
from orchestration.ingestion.damage import reading_raw, refuse_damage
from orchestration.ingestion.landing import list_landed_files
from orchestration.publication.build import published_build
from orchestration.settings import Settings, UserError
from orchestration.sources import SOURCES
from orchestration.warehouse.archive import archived_days

_LOADS_TOLD = 5


def refuse_lost_history(settings: Settings) -> None:
    """See that all is there which was taken in for what is published: loads, and archived days.

    Retention, forgetting and reading again leave the ledger's files as they are. With
    AI_USAGE_ACCEPT_CHANGES=1 what is there is all there is: events without an entry get one.

    Raises:
        UserError: says what is gone, where it may be, and what to do; or which entry is damaged.
    """
    ledger.remove_unfinished_loads(settings)
    # An entry that has changed would tell of another load, or of none.
    if entries := list(settings.raw.glob("loads/*.parquet")):
        refuse_damage(settings, *entries)
    lost = ledger.without_entry(settings)
    if settings.accept_changes:
        for source in SOURCES:
            for load_id, files in lost.items():
                if ledger.source_of(load_id) == source.name:
                    ledger.enter_anew(settings, source, load_id, files)
        return
    published, days = _published(settings)
    with reading_raw(settings):
        now = ledger.history(settings)
    in_raw = {ledger.first_id(load_id): files for load_id, files in lost.items()}
    gone = {load_id: told for load_id, told in published.items() if load_id not in now}
    others = {
        load_id: told
        for load_id, told in published.items()
        if load_id in now and (told[0], told[2]) != (now[load_id][0], now[load_id][2])
    }
    days = sorted(set(days) - set(archived_days(settings)))
    if not (gone or others or in_raw or days):
        return
    said = [f"archive/{day} is gone, with the sums of the days up to that one" for day in days]
    loads = sorted({*gone, *others, *in_raw})
    said += [_what_is_lost(load, published, now, in_raw) for load in loads[:_LOADS_TOLD]]
    if len(loads) > _LOADS_TOLD:
        events = sum(published[load][1] for load in loads[_LOADS_TOLD:] if load in published)
        said.append(f"and {len(loads) - _LOADS_TOLD:,} more loads of {events:,} events")
    if gone and min(gone) > max(now, default=""):
        said.append("raw/ is older than what is published: was it put back from a backup?")
    raise UserError(
        "What was taken in before is not there any more:\n  "
        + "\n  ".join(said)
        + f"\nPut raw/ and archive/ back from the newest backup and run again.{_landed(settings)} "
        "If there is no backup, run once with AI_USAGE_ACCEPT_CHANGES=1: what is there is then all "
        "there is. Events in raw/ that no entry of the ledger names get one, and what is in "
        "landing/ is taken in; what is in neither leaves the reports."
    )


def _published(settings: Settings) -> tuple[dict[str, list], list[str]]:
    """Return the history that the current version tells, and newer ones that were rolled back."""
    current = published_build(settings)
    loads, days = {}, []
    if current is None:
        return loads, days
    newest = (settings.published / "current").resolve().name
    for path in sorted((settings.published / "versions").glob("*/build.json")):
        if path.parent.name >= newest:
            build = _read(path)
            loads |= build.get("history", {})
            days += build.get("archived_days", [])
    return loads, days


def _read(path: Path) -> dict:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return {}


def _what_is_lost(
    load: str, published: dict[str, list], now: dict[str, list], in_raw: dict[str, list[Path]]
) -> str:
    began = f"{ledger.started_at(load):%Y-%m-%d %H:%M} UTC"
    what = f"the load {load} of {began}"
    if load in published:
        files, events, _ = published[load]
        what += f", {events:,} events of {files:,} landed files"
    if load in in_raw:
        return (
            f"{what}: its entry {load}.parquet in raw/loads is gone; of its events "
            f"{len(in_raw[load]):,} files are still in raw/, such as {in_raw[load][0]}"
        )
    if load in now:
        return f"{what}: its entry in raw/loads is another, of {now[load][0]:,} landed files"
    return f"{what}: nothing of it is left in raw/"


def _landed(settings: Settings) -> str:
    """Say whether some of it may have stayed in landing/."""
    try:
        landed = [file for source in SOURCES for file in list_landed_files(settings, source)[0]]
        known = ledger.files_taken_in(settings)
    except (duckdb.Error, UserError):
        return ""
    new = [file for file in landed if file.state not in known]
    where = settings.landing_url or settings.landing
    if not new:
        return f" In {where} nothing has landed that the ledger does not know."
    return f" In {where} {len(new):,} files may be of these, such as {new[0].name}."
