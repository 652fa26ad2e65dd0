"""The way out: the tables that were built and tested become what people and BI tools read.

    published/versions/<time>/      reports.duckdb, parquet/<schema>/<table>.parquet, page/,
                                    data_docs/, build.json
    published/current, previous     links to a version each
    published/reports.duckdb        always of the current version, and so is
    published/parquet, page, data_docs

mirror.py copies it to object storage.

One link is swapped, so tables and files of different nights are never seen beside each other, and
whoever has the version before open keeps it: until it is opened again, it shows the old one.
"""

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from time import sleep

import duckdb

from orchestration.files import sync
from orchestration.ingestion import ledger
from orchestration.lock import only_run
from orchestration.publication.build import Build, published_build
from orchestration.publication.comparison import compare
from orchestration.publication.data_docs import build_data_docs
from orchestration.publication.mirror import FIXED_NAMES, mirror
from orchestration.publication.tables import copy_tables, days_of
from orchestration.settings import Settings, UserError
from orchestration.warehouse.archive import archived_days, archived_through
from orchestration.warehouse.file import put_aside_if_damaged
from orchestration.warehouse.fingerprints import BuiltFrom

_OPENING_S = 1


def publish(settings: Settings, models: list[dict], built: BuiltFrom) -> Build:
    """Copy the public models from the warehouse to a new version, and make it the current one.

    `models` are nodes of dbt's manifest, and `built` says what they were built from.

    Raises:
        UserError: the copy could not be written, it differs from the version before, or a report
            of the page is declared wrongly. The version before stays the current one.
    """
    # Takes a second, and only publication needs it.
    from orchestration.page import build_page

    before, current = published_build(settings), settings.published / "current"
    # What a day and what a request is depends on these.
    is_comparable = before is not None and (
        (before.reporting_time_zone, before.gateway_addresses)
        == (settings.reporting_time_zone, settings.gateway_addresses)
    )
    now = datetime.now(UTC)
    versions = settings.published / "versions"
    target = versions / f"{now:%Y%m%dT%H%M%S%f}"
    try:
        target.mkdir(parents=True)
        is_alike = before is not None and before.core == built.models["fct_requests"]
        tables = copy_tables(
            settings,
            models,
            target,
            current.resolve() if is_alike else None,
            before.days if is_alike else {},
        )
        warnings, judged = compare(
            settings,
            target,
            current if before else None,
            is_comparable,
            None if is_alike or before is None else before.built_at,
        )
        build = Build(
            f"{now:%Y-%m-%d %H:%M:%S} UTC",
            built.inputs,
            settings.reporting_time_zone,
            settings.gateway_addresses,
            tables,
            warnings,
            settings.hide_users,
            built.models["fct_requests"],
            days_of(settings),
            str(archived_through(settings) or ""),
            ledger.history(settings),
            archived_days(settings),
        )
        build_page(
            target / "reports.duckdb",
            models,
            target / "page",
            settings.home / "tmp",
            build.built_at,
            build.reporting_time_zone,
        )
        build_data_docs(target / "data_docs", settings.raw / "validations", judged, build.built_at)
        # A BI tool that opens it to write would lock all others out.
        (target / "reports.duckdb").chmod(0o444)
        (target / "build.json").write_text(json.dumps(build.__dict__, indent=1))
        for path in (versions, target, *target.rglob("*")):
            sync(path)
    except UserError:
        shutil.rmtree(target, ignore_errors=True)
        raise
    except (OSError, duckdb.Error) as error:
        shutil.rmtree(target, ignore_errors=True)
        put_aside_if_damaged(settings)
        raise UserError(
            f"Publishing stopped: {error}. What was published before still stands; put that right "
            "and run again."
        ) from error

    previous = settings.published / "previous"
    for name in FIXED_NAMES:
        if not (settings.published / name).is_symlink():
            _point(settings.published / name, Path("current", name))
    hides_more = build.users_are_hidden and before and not before.users_are_hidden
    if hides_more or (before and before.archived_through != build.archived_through):
        # Who the users are, or requests past retention, must not stay within reach.
        previous.unlink(missing_ok=True)
    elif current.exists():
        _point(previous, current.readlink())
    replaced = current.resolve()
    # Last, since with it the version is published, and no later run will mend what is missing.
    _point(current, target.relative_to(settings.published))
    if before and not (previous.exists() and previous.resolve() == replaced):
        # Whoever opens it now, as DuckDB does, may have followed the link just before.
        sleep(_OPENING_S)
    remove_left_behind(settings)
    return build


def remove_left_behind(settings: Settings) -> None:
    """Remove the versions that neither `current` nor `previous` leads to."""
    links = (settings.published / "current", settings.published / "previous")
    kept = {link.resolve() for link in links if link.exists()}
    for version in (settings.published / "versions").glob("*"):
        if version.resolve() not in kept:
            shutil.rmtree(version)


def roll_back(settings: Settings) -> Build:
    """Make the version before the current one again, at once.

    The one that was is not published any more: nothing leads to it, so that saying this again never
    brings it back, and the next version removes its folder, which readers may have open. The next
    night publishes anew: what was wrong should be put right before.

    Raises:
        UserError: there is no version before, a run is at work, or object storage, where the
            version is published too, cannot be written; then nothing is changed here.
    """
    current, previous = settings.published / "current", settings.published / "previous"
    with only_run(settings):
        # They are one where a crash came between the two steps of this, or of a publication.
        if not (previous / "build.json").exists() or previous.resolve() == current.resolve():
            build = published_build(settings)
            of_when = f" the one of {build.built_at}, which is published" if build else ""
            raise UserError(
                f"There is no version before{of_when} in {settings.published}. The next is that of "
                "the next night, or of `make run`."
            )
        # First what can fail. Said again, this is done again.
        mirror(settings, previous.resolve(), None)
        _point(current, previous.readlink())
        previous.unlink()
        sync(settings.published)
    return published_build(settings)


def _point(link: Path, target: Path) -> None:
    """Make `link` lead to `target` in one step, so that it always leads somewhere."""
    temporary = link.with_name(f".{link.name}.new")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(target)
    temporary.replace(link)
    sync(link.parent)
