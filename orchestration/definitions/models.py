"""What Dagster knows of dbt's models: all that is built and tested."""

import os
from collections.abc import Iterator
from dataclasses import replace

from dagster import (
    AssetCheckResult,
    AssetExecutionContext,
    Config,
    RetryRequested,
)
from dagster_dbt import dbt_assets

from orchestration.console import step
from orchestration.ingestion.damage import damaged_raw_files
from orchestration.publication.build import published_build
from orchestration.settings import UserError, variable
from orchestration.warehouse.archive import archived_through
from orchestration.warehouse.checksums import built_by_this_code
from orchestration.warehouse.file import compact_warehouse, put_aside_if_damaged, wait_for_warehouse
from orchestration.warehouse.fingerprints import built_from, fingerprint, note_built_from
from orchestration.warehouse.project import (
    Translator,
    archived_models,
    failures,
    nodes_to_build,
    project,
    with_sample_rows,
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
    required_resource_keys={"dbt", "night"},
)
def models(context: AssetExecutionContext, config: Rebuild) -> Iterator:
    """Everything that dbt builds and tests. With nothing new there is nothing to build."""
    night = context.resources.night
    settings = night.settings
    build, inputs = published_build(settings), fingerprint(settings)
    if config.everything or config.first_date or config.last_date:
        mark_for_rebuild(settings, config.first_date, config.last_date)
    if build and build.inputs == inputs == built_from(settings).inputs:
        with step("models") as progress:
            progress.result = f"nothing new since {build.built_at}: the published tables stand"
        # The night before may have stopped while it copied.
        night.mirror()
        night.end()
        return
    wait_for_warehouse(settings)
    # One folder for all runs, where dagster-dbt would make a new one for each.
    target = settings.home / "dbt"
    # Unit tests are for whoever changes a model; the night tests the data.
    arguments = ["build", "--exclude-resource-type", "unit_test"]
    (target / "run_results.json").unlink(missing_ok=True)
    # The dbt that this starts ends with it.
    os.environ[variable("night_process")] = str(os.getpid())
    with step("models") as progress:
        now = built_by_this_code(settings, archived_models(dbt_project))
        changed = note_build_begins(settings, now)
        # A part of the models may not have those whose tables are to be built whole.
        if changed and not context.is_subset:
            drop_tables(settings, changed)
        invocation = context.resources.dbt.cli(
            arguments, context=context, target_path=target, raise_on_error=False
        )
        models_built, tests_passed, failed_checks = 0, 0, []
        for event in invocation.stream():
            if isinstance(event, AssetCheckResult) and not event.passed:
                failed_checks.append(event)
                continue
            if isinstance(event, AssetCheckResult):
                tests_passed += 1
            else:
                models_built += 1
            progress.advance(models_built + tests_passed, number_of_nodes)
            yield event
        # Their rows can be read only now that dbt has let go of the file.
        yield from (with_sample_rows(settings, target, check) for check in failed_checks)
        if not invocation.is_successful():
            if put_aside_if_damaged(settings):
                raise RetryRequested(max_retries=1)
            said = [failures(target), damaged_raw_files(settings)]
            said += night.reasons("And before:")
            said = "\n".join(filter(None, said))
            raise UserError(f"Nothing was published, since not all holds:\n{said}")
        if build and build.archived_through != str(archived_through(settings) or ""):
            compact_warehouse(settings)
        progress.result = f"{models_built} models built, {tests_passed} tests passed"
    if not context.is_subset:
        note_built_from(settings, replace(now, inputs=inputs))
