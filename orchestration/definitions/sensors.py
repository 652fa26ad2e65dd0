"""What watches over the nights, and may begin one when files land."""

import json
import time
from datetime import UTC, datetime, timedelta

from dagster import (
    DagsterRunStatus,
    DefaultSensorStatus,
    HookContext,
    RunRequest,
    RunsFilter,
    SensorEvaluationContext,
    SkipReason,
    failure_hook,
    sensor,
)

from orchestration.alerts import night_failed, night_is_late
from orchestration.definitions.raw import nightly
from orchestration.ingestion import new_files
from orchestration.settings import load_settings
from orchestration.sources import SOURCES

NIGHT = "nightly_rebuild"


@failure_hook
def tell_people(context: HookContext) -> None:
    """Alert people to a night that failed: why, since when, what still stands."""
    night_failed(load_settings(), context.op_exception)


@sensor(minimum_interval_seconds=600, default_status=DefaultSensorStatus.RUNNING)
def late_night(context: SensorEvaluationContext) -> SkipReason:
    """Alert people once when no night has ended well for 26 hours, whatever the reason."""
    ended_well = RunsFilter(job_name=NIGHT, statuses=[DagsterRunStatus.SUCCESS])
    records = context.instance.get_run_records(ended_well, limit=1)
    last = records[0].end_time if records else None
    since, told = json.loads(context.cursor or "[null, null]")
    # Before the first night there is none to miss: count from when this began to watch.
    since = last or since or time.time()
    is_late = time.time() - since > nightly.fail_window.to_timedelta().total_seconds()
    if is_late and told != since:
        night_is_late(load_settings(), datetime.fromtimestamp(since, UTC))
        told = since
    context.update_cursor(json.dumps([since, told]))
    return SkipReason("No night has ended well for 26 hours." if is_late else "All is well.")


@sensor(job_name=NIGHT, minimum_interval_seconds=60)
def landed_files(context: SensorEvaluationContext) -> RunRequest | SkipReason:
    """Run when files have landed and none has changed for a minute. Off unless switched on."""
    settings = load_settings()
    new = [file for source in SOURCES for file in new_files(settings, source)[0]]
    if not new:
        return SkipReason("Nothing new has landed.")
    newest = max(file.modified_at for file in new)
    if datetime.now(UTC) - newest < timedelta(minutes=1):
        return SkipReason("Files are landing just now.")
    return RunRequest(run_key=f"{len(new)} files up to {newest}")
