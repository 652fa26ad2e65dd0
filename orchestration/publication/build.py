"""What a published version says of itself."""

import json
from dataclasses import dataclass, field

import duckdb

from orchestration.settings import Settings


@dataclass(frozen=True)
class Build:
    """What build.json says of a published version.

    `tables` maps schema.table to rows, `days` each day to what its requests are made of, and `core`
    identifies the code that made core.fct_requests. `history` is the ledger's, by load, and
    `archived_days` those that folders of the archive end with: both only grow.
    """

    built_at: str
    inputs: str
    reporting_time_zone: str
    gateway_addresses: list[str]
    tables: dict[str, int]
    warnings: list[str]
    users_are_hidden: bool = False
    core: str = ""
    days: dict[str, str] = field(default_factory=dict)
    # The last day whose requests are past retention, if any is.
    archived_through: str = ""
    history: dict[str, list] = field(default_factory=dict)
    archived_days: list[str] = field(default_factory=list)


def published_build(settings: Settings) -> Build | None:
    """Return what was published last, or None if nothing was."""
    try:
        return Build(**json.loads((settings.published / "current/build.json").read_text()))
    except (OSError, TypeError):
        return None


def what_was_published(settings: Settings) -> dict[str, int]:
    """Return figures of the current version, of which people may want to see the history."""
    current = (settings.published / "current").resolve()
    with duckdb.connect(str(current / "reports.duckdb"), read_only=True) as connection:
        events = connection.execute(
            "select sum(events_received), sum(events_rejected), sum(late_events), sum(requests) "
            "from technical.data_quality"
        ).fetchone()
    with duckdb.connect(str(settings.warehouse), read_only=True) as connection:
        (days,) = connection.execute(
            "select count(*) from core.int_usage_dates where needs_rebuild"
        ).fetchone()
    names = ("events received", "events rejected", "late events", "requests")
    return {
        "days rebuilt": days,
        **{name: int(number or 0) for name, number in zip(names, events, strict=True)},
        "bytes": sum(path.stat().st_size for path in current.rglob("*") if path.is_file()),
    }
