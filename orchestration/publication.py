"""The way out: the tables that were built and tested become what people and BI tools read.

    published/versions/<time>/      reports.duckdb, parquet/<schema>/<table>.parquet, page/,
                                    build.json
    published/current, previous     links to a version each
    published/reports.duckdb        always of the current version, and so is
    published/parquet, page

One link is swapped, so tables and files of different nights are never seen beside each other, and
whoever has the version before open keeps it.
"""

import json
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from orchestration.comparison import compare
from orchestration.damage import put_aside_if_damaged
from orchestration.files import quoted, sync
from orchestration.lock import only_run
from orchestration.settings import Settings, UserError

# DuckDB before 2.0 cannot open files written in a newer format.
_STORAGE_VERSION = "v1.0.0"


@dataclass(frozen=True)
class Build:
    """What build.json says of a published version; `tables` maps schema.table to rows."""

    built_at: str
    inputs: str
    reporting_time_zone: str
    gateway_addresses: list[str]
    tables: dict[str, int]
    warnings: list[str]
    users_are_hidden: bool = False


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


def publish(settings: Settings, models: list[dict], inputs: str) -> Build:
    """Copy the public models from the warehouse to a new version, and make it the current one.

    `models` are nodes of dbt's manifest; `inputs` is the fingerprint of what they were built from.

    Raises:
        UserError: the copy could not be written, it lacks what the version before had, or a report
            of the page is declared wrongly. The version before stays the current one.
    """
    # Takes a second, and only publication needs it.
    from orchestration.reports_page import build_page

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
        tables = _copy_tables(settings, models, target)
        build = Build(
            f"{now:%Y-%m-%d %H:%M:%S} UTC",
            inputs,
            settings.reporting_time_zone,
            settings.gateway_addresses,
            tables,
            compare(settings, target, current if before else None, is_comparable),
            settings.hiding_key is not None,
        )
        build_page(
            target / "reports.duckdb",
            models,
            target / "page",
            settings.home / "tmp",
            build.built_at,
            build.reporting_time_zone,
        )
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
    for name in ("reports.duckdb", "parquet", "page"):
        if not (settings.published / name).is_symlink():
            _point(settings.published / name, Path("current", name))
    if build.users_are_hidden and before and not before.users_are_hidden:
        # What tells who the users are must not stay within reach.
        previous.unlink(missing_ok=True)
    elif current.exists():
        _point(previous, current.readlink())
    # Last, since with it the version is published, and no later run will mend what is missing.
    _point(current, target.relative_to(settings.published))
    kept = {link.resolve() for link in (current, previous) if link.exists()}
    for old in versions.iterdir():
        if old.resolve() not in kept:
            shutil.rmtree(old)
    return build


def roll_back(settings: Settings) -> Build:
    """Make the version before the current one again, at once; the one that was goes to `previous`.

    The next night publishes anew: what was wrong should be put right before.

    Raises:
        UserError: there is no version before, or a run is at work.
    """
    current, previous = settings.published / "current", settings.published / "previous"
    with only_run(settings):
        if not (previous / "build.json").exists():
            raise UserError(f"There is no version before the one in {settings.published}.")
        wrong, right = current.readlink(), previous.readlink()
        _point(current, right)
        _point(previous, wrong)
    return published_build(settings)


def _copy_tables(settings: Settings, models: list[dict], target: Path) -> dict[str, int]:
    tables = {}
    with duckdb.connect(config={"temp_directory": str(settings.home / "tmp")}) as connection:
        connection.execute(
            f"""
            attach '{quoted(settings.warehouse)}' as warehouse (read_only);
            attach '{quoted(target / "reports.duckdb")}' as reports
                (storage_version '{_STORAGE_VERSION}');
            """
        )
        for model in sorted(models, key=lambda model: (model["schema"], model["name"])):
            name = f'"{model["schema"]}"."{model["name"]}"'
            connection.execute(f'create schema if not exists reports."{model["schema"]}"')
            connection.execute(f"create table reports.{name} as from warehouse.{name}")
            connection.execute(
                f"comment on table reports.{name} is '{quoted(model['description'].strip())}'"
            )
            for column in model["columns"].values():
                connection.execute(
                    f'comment on column reports.{name}."{column["name"]}" '
                    f"is '{quoted(column['description'].strip())}'"
                )
            folder = target / "parquet" / model["schema"]
            folder.mkdir(parents=True, exist_ok=True)
            (rows,) = connection.execute(
                f"copy reports.{name} to '{quoted(folder / model['name'])}.parquet' "
                "(format parquet, compression zstd)"
            ).fetchone()
            tables[f"{model['schema']}.{model['name']}"] = rows
        connection.execute("detach reports")
    return tables


def _point(link: Path, target: Path) -> None:
    """Make `link` lead to `target` in one step, so that it always leads somewhere."""
    temporary = link.with_name(f".{link.name}.new")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(target)
    temporary.replace(link)
    sync(link.parent)
