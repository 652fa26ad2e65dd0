"""What Dagster knows of dbt's models: all that is built and tested."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count

from dagster import (
    AssetCheckKey,
    AssetCheckResult,
    AssetExecutionContext,
    AssetKey,
    Config,
    MaterializeResult,
    MetadataValue,
    RetryRequested,
)
from dagster_dbt import dbt_assets
from dbt.contracts.graph.manifest import Manifest
from dbt.contracts.results import RunResult
from dbt_common.events.base_types import EventMsg

from orchestration.console import step
from orchestration.ingestion.damage import damaged_files, refuse_damage
from orchestration.publication.build import published_build
from orchestration.settings import Settings, UserError
from orchestration.warehouse.archive import archived_through
from orchestration.warehouse.checksums import built_by_this_code
from orchestration.warehouse.dbt import failed_rows, failures, run_dbt
from orchestration.warehouse.file import compact_warehouse, put_aside_if_damaged, wait_for_warehouse
from orchestration.warehouse.fingerprints import (
    built_from,
    fingerprint,
    is_check_due,
    note_built_from,
)
from orchestration.warehouse.project import (
    UNIQUE_ID,
    Translator,
    nodes_to_build,
    parsed,
    project,
)
from orchestration.warehouse.rebuild import drop_tables, mark_for_rebuild, note_build_begins

dbt_project = project()
translator = Translator()
number_of_nodes = nodes_to_build(dbt_project)


class Rebuild(Config):
    """Days to build anew although nothing of them has changed; a night has none."""

    everything: bool = False
    first_date: str | None = None  # 2026-01-31, in the reporting time zone
    last_date: str | None = None


@dbt_assets(
    manifest=dbt_project.manifest_path,
    project=dbt_project,
    dagster_dbt_translator=translator,
    required_resource_keys={"night"},
)
def models(context: AssetExecutionContext, config: Rebuild) -> Iterator:
    """Everything that dbt builds and tests. With nothing new there is nothing to build."""
    night = context.resources.night
    settings = night.settings
    build, inputs = published_build(settings), fingerprint(settings)
    if config.everything or config.first_date or config.last_date:
        mark_for_rebuild(settings, config.first_date, config.last_date)
    today = datetime.now(UTC).date()
    if build and build.inputs == inputs == built_from(settings).inputs:
        with step("models") as progress:
            if is_check_due(settings, today):
                refuse_damage(settings)
                note_built_from(settings, replace(built_from(settings), checked_on=str(today)))
            progress.result = f"nothing new since {build.built_at}: the published tables stand"
        # The night before may have stopped while it copied.
        night.mirror()
        night.end()
        return
    wait_for_warehouse(settings)
    with step("models") as progress:
        # What is read by the build, and all else: to tell them apart would take longer.
        refuse_damage(settings)
        now = built_by_this_code(settings, dbt_project)
        changed = note_build_begins(settings, now)
        # A part of the models may not have those whose tables are to be built whole.
        if changed and not context.is_subset:
            drop_tables(settings, changed)
        done = count(1)

        def on_event(event: EventMsg) -> None:
            if event.info.name == "NodeFinished":
                progress.advance(next(done), number_of_nodes)

        # Unit tests are for whoever changes a model; the night tests the data.
        manifest = parsed(dbt_project)
        arguments = ["build", "--exclude-resource-type", "unit_test", *_selected(context, manifest)]
        target = settings.home / "dbt"
        try:
            results = run_dbt(*arguments, target=target, manifest=manifest, on_event=on_event)
            failed = failures(results, settings)
        except UserError as error:
            results, failed = [], f"  {error}"
        yield from _events(context, settings, results)
        if failed:
            if put_aside_if_damaged(settings):
                raise RetryRequested(max_retries=1)
            said = [failed, damaged_files(settings), *night.reasons("And before:")]
            said = "\n".join(filter(None, said))
            raise UserError(f"Nothing was published, since not all holds:\n{said}")
        if build and build.archived_through != str(archived_through(settings) or ""):
            compact_warehouse(settings)
        kinds = Counter(result.node.resource_type for result in results)
        progress.result = f"{kinds['model']} models built, {kinds['test']} tests passed"
    if not context.is_subset:
        note_built_from(settings, replace(now, inputs=inputs, checked_on=str(today)))


def _ids(context: AssetExecutionContext) -> dict[str, AssetKey | AssetCheckKey]:
    """Return dbt's ids of all models and tests, each with Dagster's key of it."""
    assets = context.assets_def
    return {spec.metadata[UNIQUE_ID]: spec.key for spec in (*assets.specs, *assets.check_specs)}


def _selected(context: AssetExecutionContext, manifest: Manifest) -> list[str]:
    """Return the arguments for what somebody has selected in Dagster, if that is not all."""
    if not context.is_subset:
        return []
    keys = context.selected_asset_keys | context.selected_asset_check_keys
    names = [".".join(manifest.nodes[id_].fqn) for id_, key in _ids(context).items() if key in keys]
    return ["--indirect-selection", "empty", "--select", *names]


def _events(
    context: AssetExecutionContext, settings: Settings, results: list[RunResult]
) -> Iterator[MaterializeResult | AssetCheckResult]:
    """Tell Dagster what was built, and of each test what it found."""
    keys = _ids(context)
    for result in results:
        key = keys.get(result.node.unique_id)  # none of a test of sources alone
        metadata = {"status": str(result.status), "seconds": result.execution_time}
        if isinstance(key, AssetKey) and result.status == "success":
            yield MaterializeResult(asset_key=key, metadata=metadata)
        elif isinstance(key, AssetCheckKey) and result.status != "skipped":
            if result.status == "fail":
                metadata["sample rows"] = MetadataValue.json(failed_rows(settings, result))
            yield AssetCheckResult(
                asset_key=key.asset_key,
                check_name=key.name,
                passed=result.status == "pass",
                metadata=metadata,
            )
