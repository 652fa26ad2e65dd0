"""The Dagster code location: the night, its schedule, and what watches over it."""

import json
import time
from datetime import UTC, datetime, timedelta

from dagster import (
    DagsterRunStatus,
    DefaultScheduleStatus,
    DefaultSensorStatus,
    Definitions,
    HookContext,
    RunConfig,
    RunRequest,
    RunsFilter,
    ScheduleDefinition,
    SensorEvaluationContext,
    SkipReason,
    define_asset_job,
    failure_hook,
    in_process_executor,
    sensor,
)

from orchestration.alerts import night_failed, night_is_late
from orchestration.definitions.models import Rebuild, dbt_project, models, published
from orchestration.definitions.raw import (
    landing_assets,
    ledger,
    nightly,
    raw_assets,
    settings,
    warehouse,
)
from orchestration.ingestion import new_files
from orchestration.sources import SOURCES
from orchestration.warehouse.project import dbt_resource


@failure_hook
def tell_people(context: HookContext) -> None:
    """Alert people to a night that failed: why, since when, what still stands."""
    night_failed(settings, context.op_exception)


nightly_rebuild = define_asset_job(
    "nightly_rebuild",
    description="Take in what has landed, rebuild what changed, publish.",
    hooks={tell_people},
)
rebuild = define_asset_job(
    "rebuild",
    description="The same, and build days anew although nothing of them has changed.",
    config=RunConfig(ops={"models": Rebuild(first_date="2026-01-01", last_date="2026-01-31")}),
    hooks={tell_people},
)


@sensor(minimum_interval_seconds=600, default_status=DefaultSensorStatus.RUNNING)
def late_night(context: SensorEvaluationContext) -> SkipReason:
    """Alert people once when no night has ended well for 26 hours, whatever the reason."""
    ended_well = RunsFilter(job_name=nightly_rebuild.name, statuses=[DagsterRunStatus.SUCCESS])
    records = context.instance.get_run_records(ended_well, limit=1)
    last = records[0].end_time if records else None
    since, told = json.loads(context.cursor or "[null, null]")
    # Before the first night there is none to miss: count from when this began to watch.
    since = last or since or time.time()
    is_late = time.time() - since > nightly.fail_window.to_timedelta().total_seconds()
    if is_late and told != since:
        night_is_late(settings, datetime.fromtimestamp(since, UTC))
        told = since
    context.update_cursor(json.dumps([since, told]))
    return SkipReason("No night has ended well for 26 hours." if is_late else "All is well.")


@sensor(job=nightly_rebuild, minimum_interval_seconds=60)
def landed_files(context: SensorEvaluationContext) -> RunRequest | SkipReason:
    """Run when files have landed and none has changed for a minute. Off unless switched on."""
    new = [file for source in SOURCES for file in new_files(settings, source)[0]]
    if not new:
        return SkipReason("Nothing new has landed.")
    newest = max(file.modified_at for file in new)
    if datetime.now(UTC) - newest < timedelta(minutes=1):
        return SkipReason("Files are landing just now.")
    return RunRequest(run_key=f"{len(new)} files up to {newest}")


defs = Definitions(
    assets=[
        *landing_assets,
        *raw_assets,
        ledger,
        models,
        published,
    ],
    jobs=[nightly_rebuild, rebuild],
    sensors=[late_night, landed_files],
    schedules=[
        ScheduleDefinition(
            job=nightly_rebuild,
            cron_schedule="0 2 * * *",
            execution_timezone=settings.reporting_time_zone,
            default_status=DefaultScheduleStatus.RUNNING,
        )
    ],
    resources={"dbt": dbt_resource(dbt_project), "warehouse": warehouse},
    # One file is written, so steps take turns.
    executor=in_process_executor,
)
