"""The nightly job, run once in this process, and what a person sees of it."""

import contextlib
import logging
import os
import shutil
import sqlite3
import tempfile
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from uuid import uuid4

import duckdb

from orchestration.alerts import night_failed
from orchestration.console import console, step
from orchestration.ingestion import ledger
from orchestration.ingestion.landing import refuse_if_nothing_ever_landed
from orchestration.lock import only_run
from orchestration.operations.dagster_home import history_open, prepare_dagster
from orchestration.publication.build import Build, published_build
from orchestration.settings import Settings, UserError
from orchestration.sources import SOURCES

_LISTENING_S = 0.5
_OF_THE_MACHINE = (
    OSError,
    sqlite3.OperationalError,
    duckdb.IOException,
    duckdb.OutOfMemoryException,
)


def run(settings: Settings, config: dict | None = None) -> None:
    """Run the nightly job and say what was published; `config` is Dagster's, of a rebuild.

    Raises:
        UserError: the night failed, or another run is at work.
    """
    console.print(f"AI usage warehouse in {settings.home}")
    with only_run(settings):
        _fill_from_examples_if_empty(settings)
    before = published_build(settings)
    run_job(settings, config)
    _tell(settings, published_build(settings), before)


def _fill_from_examples_if_empty(settings: Settings) -> None:
    """Have something to look at: 90 days of an invented organisation of about 40 users.

    Raises:
        UserError: files land on object storage, and none ever has.
    """
    if settings.landing_url:
        if not settings.litellm_database_url:
            refuse_if_nothing_ever_landed(settings)
        return
    anything = any(path.is_file() for path in settings.landing.rglob("*"))
    anything = anything or settings.litellm_database_url
    # An organisation may have cleared landing/ of what was taken in.
    if not anything and not ledger.entries(settings):
        from examples.simulator import simulate

        with step("example") as progress, tempfile.TemporaryDirectory(dir=settings.home) as folder:
            yesterday = datetime.now(UTC).date() - timedelta(days=1)
            landing = Path(folder, "landing")
            totals = simulate(landing, truth=None, last_day=yesterday)
            # Moved at once: half an example would pass for an organisation's own events.
            shutil.rmtree(settings.landing)
            landing.rename(settings.landing)
            progress.result = (
                f"landing/ was empty: put in 90 days of an invented organisation, "
                f"{totals['requests']:,} requests of {totals['users']} users"
            )
    # Where that is not allowed nobody but who may write there has need of them.
    with contextlib.suppress(PermissionError):
        for source in SOURCES:
            (settings.landing / source.name).mkdir(exist_ok=True)


def run_job(settings: Settings, config: dict | None = None) -> None:
    """Run Dagster's job in this process. What Dagster says of it goes to its own history.

    Raises:
        UserError: a step failed; says what a person can do.
    """
    logging.disable(logging.CRITICAL)

    # Imported here so that wrong settings are told before the seconds that this takes.
    from dagster import DagsterInstance

    from orchestration.definitions import defs

    try:
        prepare_dagster(settings)
        with (
            DagsterInstance.get() as instance,
            Path(os.devnull).open("w") as nowhere,
            contextlib.redirect_stdout(nowhere),
            history_open(settings, run_id := str(uuid4())),
            # In the main thread Dagster would answer signals itself, with tracebacks.
            ThreadPoolExecutor(1) as thread,
        ):
            job = defs.resolve_job_def("nightly_rebuild")
            run_once = partial(job.execute_in_process, run_config=config, run_id=run_id)
            running = thread.submit(run_once, instance=instance)
            # Python answers a signal in this thread, which has to wake for one given to another.
            while not wait([running], _LISTENING_S).done:
                pass
            running.result()
    except Exception as error:
        # Dagster calls the job's failure hook only where it does not raise.
        plain = _plain(settings, error)
        night_failed(settings, plain or error)
        if plain:
            raise plain from error
        raise


def _plain(settings: Settings, error: BaseException) -> UserError | None:
    """Find in an error and its causes what a person can put right: in our words, or the machine's.

    Dagster keeps its history in SQLite, which meets a full disk like all others.
    """
    causes: list[BaseException] = []
    cause: BaseException | None = error
    while cause and cause not in causes:  # Dagster raises some from one another
        causes.append(cause)
        cause = cause.__cause__ or cause.__context__
    told = [cause for cause in causes if isinstance(cause, UserError)]
    machine = [cause for cause in causes if isinstance(cause, _OF_THE_MACHINE)]
    if told or not machine:
        return told[0] if told else None
    free = shutil.disk_usage(settings.home).free // 1_000_000
    return UserError(
        f"The night stopped: {machine[-1]}, with {free:,} MB free in {settings.home}. What was "
        "published before still stands; put that right and run again."
    )


def _tell(settings: Settings, build: Build | None, before: Build | None) -> None:
    if build == before:
        console.print("\nNothing new has landed: what was published stands.")
    published = settings.published
    with duckdb.connect(str(published / "reports.duckdb"), read_only=True) as reports:
        requests, users, tokens, cost, first, last = reports.execute(
            """
            select
                sum(requests),
                (select count(*) from core.dim_users where not starts_with(user_id, '(')),
                sum(total_tokens), (select sum(cost_usd) from cost.cost_by_day_and_ai),
                min(usage_date), max(usage_date)
            from usage.usage_by_day
            """
        ).fetchone()
    for warning in build.warnings:
        console.print(f"\nPlease look at this: {warning}", style="yellow")
    console.print(f"\nPublished {build.built_at}, days in {build.reporting_time_zone}")
    for name, purpose in (
        ("page/index.html", "the Reports page: open it in a browser"),
        ("reports.duckdb", "for BI tools"),
        ("parquet", "for notebooks and lakes"),
        ("data_docs/index.html", "what Great Expectations found"),
    ):
        console.print(f"  {published}/{name:<22}{purpose}")
    if settings.publish_url:
        console.print(f"  and the same under {settings.publish_url}")
    if requests:
        console.print(
            f"\n{requests:,} requests of {users:,} users, {tokens:,} tokens, "
            f"${cost or 0:,.2f}, from {first} to {last}"
        )
