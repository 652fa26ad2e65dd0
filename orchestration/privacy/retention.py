"""Requests past retention go, and what they add up to stays: the first step of a night.

The days are taken from a warehouse that was built, tested and published with all that raw/ holds,
and what was written is compared with what was published before anything is removed. Whatever a
crash leaves the next run finishes: a folder that is not whole is in tmp/, and what raw/ still has
of an archived day counts nowhere.
"""

import json
import shutil
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb

from orchestration.digests import digest_of, remove_listed, replacing_listed, write_list
from orchestration.files import move, quoted, sync, without_wildcards
from orchestration.ingestion import ledger
from orchestration.ingestion.damage import digests_of, refuse_damage
from orchestration.publication.build import published_build
from orchestration.settings import Settings, UserError
from orchestration.sources import SOURCES
from orchestration.warehouse.archive import (
    archived_through,
    digests_of_archive,
    has_left_raw,
    is_archived,
)
from orchestration.warehouse.file import put_aside_if_damaged, wait_for_warehouse
from orchestration.warehouse.fingerprints import built_from, fingerprint

# What the archive adds up to beside what was published of the same days.
_CHECKS = (
    (
        "select usage_date, requests, total_tokens from {int_usage_daily} where grain = 'day'",
        "select usage_date, requests, total_tokens from published.usage.usage_by_day",
    ),
    (
        "select usage_date, ai_service, user_id, sum(requests), coalesce(sum(cost_usd), 0) "
        "from {int_usage_hourly} group by all",
        "select usage_date, ai_service, user_id, requests, coalesce(cost_usd, 0) "
        "from published.cost.cost_by_day_ai_and_user",
    ),
    (
        "select usage_date, source, events_received, events_rejected from {int_event_counts}",
        "select usage_date, source, events_received, events_rejected "
        "from published.technical.data_quality",
    ),
)


@dataclass(frozen=True)
class Archived:
    """What a night archived: the number of days, the last of them, and their requests."""

    days: int
    through: date
    requests: int


def drop_past_retention(
    settings: Settings, models: list[dict], today: date | None = None
) -> Archived | None:
    """Archive the days before `retention_days` ago and remove their requests from raw/.

    `models` are nodes of dbt's manifest; `today` is a day in the reporting time zone, by default
    the present one. Nothing happens unless the last version holds all that has been taken in.

    Raises:
        UserError: the archive could not be written, or differs from what was published. Then
            nothing was removed.
    """
    shutil.rmtree(settings.home / "tmp" / "archive", ignore_errors=True)
    before = archived_through(settings)
    today = today or datetime.now(ZoneInfo(settings.reporting_time_zone)).date()
    through = today - timedelta(settings.retention_days + 1)
    build, inputs = published_build(settings), fingerprint(settings)
    all_is_published = build and build.inputs == inputs == built_from(settings).inputs
    archived = None
    if settings.retention_days and all_is_published and (not before or through > before):
        archived = _archive(settings, models, before or date.min, through)
    if before or archived:
        _remove_archived(settings, archived.through if archived else before)
    return archived


def _archive(settings: Settings, models: list[dict], after: date, through: date) -> Archived | None:
    """Write the folder of the days after one up to another, if there are any; whole or not."""
    wait_for_warehouse(settings)
    folder = settings.home / "tmp" / "archive"
    folder.mkdir()
    hidden = "true" if settings.hide_users else "false"
    files = {}
    try:
        with duckdb.connect(str(settings.warehouse), read_only=True) as connection:
            connection.execute("set TimeZone = 'UTC'")
            for model in models:
                files[model["name"]] = path = folder / f"{model['name']}.parquet"
                without = model["config"]["meta"]["archive"]["without"]
                columns = f"* exclude ({', '.join(without)})" if without else "*"
                connection.execute(
                    f"copy (select {columns}, {hidden} as users_are_hidden "
                    f"from {model['schema']}.{model['name']} "
                    f"where usage_date > '{after}' and usage_date <= '{through}') "
                    f"to '{quoted(path)}' (format parquet, compression zstd)"
                )
        archived = _compare(settings, files, after, through)
        if not archived.days:
            return None
        # The one time zone that its days can be read in.
        zone = {"reporting_time_zone": settings.reporting_time_zone}
        (folder / "archive.json").write_text(json.dumps(zone))
        target = settings.archive / str(through)
        listed = digests_of_archive(target)
        digests = {target / path.name: {digest_of(path)} for path in files.values()}
        write_list(listed, digests, folder / listed.name)
        for path in folder.iterdir():
            sync(path)
        settings.archive.mkdir(exist_ok=True)
        move(folder, target)
    except (OSError, duckdb.Error) as error:
        put_aside_if_damaged(settings)
        raise UserError(
            f"Days past retention could not be archived: {error}. Nothing was removed; put that "
            "right and run again."
        ) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return archived


def _compare(settings: Settings, files: dict[str, Path], after: date, through: date) -> Archived:
    """See that what was written is what was published; count it."""
    read = {
        name: f"read_parquet('{quoted(without_wildcards(path))}')" for name, path in files.items()
    }
    days = f"usage_date > '{after}' and usage_date <= '{through}'"
    with duckdb.connect() as connection:
        reports = quoted((settings.published / "current").resolve() / "reports.duckdb")
        connection.execute(f"attach '{reports}' as published (read_only)")
        for written, published in _CHECKS:
            one, other = written.format(**read), f"from ({published}) where {days}"
            for missing in (f"({one}) except all ({other})", f"({other}) except all ({one})"):
                if row := connection.execute(f"{missing} limit 1").fetchone():
                    raise UserError(
                        "Days past retention were not archived, since what was written is not what "
                        f"was published: {', '.join(map(str, row))}. Nothing was removed. Build "
                        "everything anew: make rebuild."
                    )
        count = f"select count(distinct usage_date), sum(requests) from {read['int_usage_hourly']}"
        with_requests, requests = connection.execute(count).fetchone()
        counted = f"select count(distinct usage_date) from {read['int_event_counts']}"
        days = max(with_requests, *connection.execute(counted).fetchone())
    return Archived(days, through, int(requests or 0))


def _remove_archived(settings: Settings, through: date) -> None:
    """Remove what raw/ has of archived days; again, if a crash left some of it."""
    for folder in settings.raw.glob("*/event_date=*"):
        if has_left_raw(settings, date.fromisoformat(folder.name.partition("=")[2]), through):
            shutil.rmtree(folder)
    _remove_read(settings)
    rejected = sorted(settings.raw.glob("rejected/*.parquet"))
    is_past = is_archived(settings, "coalesce(event_at, landed_at)")
    with duckdb.connect() as connection:
        for path in rejected:
            relation = f"read_parquet('{quoted(without_wildcards(path))}')"
            count = f"select count(*), count(*) filter ({is_past}) from {relation}"
            rows, past = connection.execute(count).fetchone()
            if not past:
                continue
            listed = digests_of(path)
            if past == rows:
                remove_listed(path, listed)
            else:
                refuse_damage(settings, path)
                kept = f"select * from {relation} where not {is_past}"
                with replacing_listed(path, listed) as new:
                    connection.execute(f"copy ({kept}) to '{quoted(new)}' (format parquet)")


def _remove_read(settings: Settings) -> None:
    """Remove the files that were read from a source's database and hold nothing but such days."""
    for source in SOURCES:
        entries = ledger.entries(settings, source.name)
        if not source.database_folder or not entries:
            continue
        with duckdb.connect() as connection:
            files = connection.execute(
                f"""
                select landing_file from {ledger.relation(entries)}
                where starts_with(landing_file, '{source.database_folder}/')
                group by landing_file
                having {is_archived(settings, "max(coalesce(last_event_at, landed_at))")}
                """
            ).fetchall()
        for (name,) in files:
            (settings.landing / name).unlink(missing_ok=True)
