"""The Dagster code location: the night, its schedule, and what watches over it."""

from dagster import (
    DefaultScheduleStatus,
    Definitions,
    RunConfig,
    ScheduleDefinition,
    define_asset_job,
    in_process_executor,
)

from orchestration.definitions.models import Rebuild, models
from orchestration.definitions.published import copied, published
from orchestration.definitions.raw import landing_assets, ledger, raw_assets
from orchestration.definitions.resources import night
from orchestration.definitions.sensors import NIGHT, landed_files, late_night, tell_people
from orchestration.settings import load_settings

nightly_rebuild = define_asset_job(
    NIGHT,
    description="Take in what has landed, rebuild what changed, publish.",
    hooks={tell_people},
)
rebuild = define_asset_job(
    "rebuild",
    description="The same, and build days anew although nothing of them has changed.",
    config=RunConfig(ops={"models": Rebuild(first_date="2026-01-01", last_date="2026-01-31")}),
    hooks={tell_people},
)

defs = Definitions(
    assets=[
        *landing_assets,
        *raw_assets,
        ledger,
        models,
        published,
        copied,
    ],
    jobs=[nightly_rebuild, rebuild],
    sensors=[late_night, landed_files],
    schedules=[
        ScheduleDefinition(
            job=nightly_rebuild,
            cron_schedule="0 2 * * *",
            execution_timezone=load_settings().reporting_time_zone,
            default_status=DefaultScheduleStatus.RUNNING,
        )
    ],
    resources={"night": night},
    # One file is written, so steps take turns.
    executor=in_process_executor,
)
