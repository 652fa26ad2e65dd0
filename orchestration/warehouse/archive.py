"""What is in archive/: the sums of days whose requests are past retention.

    archive/<last day>/archive.json           how its days were cut
    archive/<last day>/archive.sha256         the digests of its tables
    archive/<last day>/<model>.parquet        rows of the days up to that one that no folder before
                                              it holds, of each model with `meta: archive`

A folder appears at once and never changes, but for people who are forgotten. All days up to the
last one are closed: what raw/ has of them does not count, and no event of them is taken in.
"""

import json
from datetime import UTC, date, datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

from orchestration.digests import ENDING
from orchestration.files import quoted
from orchestration.settings import Settings, UserError
from orchestration.sources import Source

PAST_RETENTION = "its day is past retention: only sums are kept of it"


def archived_through(settings: Settings) -> date | None:
    """Return the last archived day, in the reporting time zone, or None if none is.

    Raises:
        UserError: the archive's days were cut in another time zone.
    """
    days = archived_days(settings)
    if not days:
        return None
    told = settings.archive / days[-1] / "archive.json"
    zone = json.loads(told.read_text())["reporting_time_zone"]
    if zone != settings.reporting_time_zone:
        raise UserError(
            f"reporting_time_zone is {settings.reporting_time_zone}, and days past retention were "
            f"added up in {zone}: their requests are gone, so they cannot be cut anew. Set it back "
            "in dbt_project.yml or AI_USAGE_REPORTING_TIME_ZONE."
        )
    return date.fromisoformat(days[-1])


def archived_days(settings: Settings) -> list[str]:
    """List the days that folders of the archive end with."""
    return sorted(path.parent.name for path in settings.archive.glob("*-*-*/archive.json"))


def archive_files(settings: Settings) -> list[Path]:
    """List the archive's tables."""
    return sorted(settings.archive.glob("*/*.parquet"))


def digests_of_archive(folder: Path) -> Path:
    """Return where the digests of a folder's tables are."""
    return folder / f"archive{ENDING}"


def has_left_raw(settings: Settings, event_date: date, through: date | None) -> bool:
    """Whether raw/ has no events of a UTC day any more, if what is archived ends with a day.

    Of that last day it keeps its events for another night: one request may have been reported on
    either side of midnight, and the other report must be known for the same request.
    """
    end = datetime.combine(event_date, time.max, UTC)
    zone = ZoneInfo(settings.reporting_time_zone)
    return through is not None and end.astimezone(zone).date() < through


def local_date(settings: Settings, timestamp: str) -> str:
    """Write the SQL for the day of a UTC timestamp in the reporting time zone."""
    zone = quoted(settings.reporting_time_zone)
    return f"cast(timezone('{zone}', timezone('UTC', {timestamp})) as date)"


def is_archived(settings: Settings, timestamp: str) -> str:
    """Write the SQL condition that the day of a UTC timestamp is archived."""
    last_day = archived_through(settings)
    return f"{local_date(settings, timestamp)} <= date '{last_day}'" if last_day else "false"


def query_of_live_days(settings: Settings, source: Source) -> str:
    """Return the source's query, with a reason to reject the events of archived days."""
    if not archived_through(settings):
        return source.query
    # Context of other events is no event: nobody counts it.
    is_past = f"{source.counted} and {is_archived(settings, source.time)}"
    return f"""
        select * replace (
            concat_ws(
                '; ', nullif(reject_reason, ''), case when {is_past} then '{PAST_RETENTION}' end
            ) as reject_reason
        )
        from ({source.query})
    """


def query_of_days_in_raw(settings: Settings, source: Source) -> str:
    """Return the source's query without the events of days that have left raw/.

    That is for files that are read again: what retention has removed of them was counted.
    """
    through = archived_through(settings)
    if not through:
        return source.query
    last_day = local_date(settings, "event_date + interval '23:59:59'")
    return f"select * from ({source.query}) where ({last_day} < date '{through}') is not true"


def kept_of_rejected(settings: Settings) -> str:
    """Write the SQL for what raw/rejected keeps of a record, in place of its columns.

    Nothing of a day past retention but that it came: on the day on which it landed, or now.
    """
    if not archived_through(settings):
        return "text as text"
    return f"""
        case when {is_archived(settings, "event_at")} is not true then text end as text,
        case
            when not {is_archived(settings, "coalesce(event_at, files.landed_at)")} then event_at
            when {is_archived(settings, "files.landed_at")} then cast(now() as timestamp)
        end as event_at
    """
