"""What Dagster knows of: landed files, raw events, the ledger, dbt's models, what is published."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta

from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetExecutionContext,
    AssetKey,
    AssetObservation,
    AssetsDefinition,
    AssetSpec,
    Config,
    FreshnessPolicy,
    MaterializeResult,
    asset,
    multi_asset,
    resource,
)
from dagster_dbt import dbt_assets

from orchestration.alerts import alert
from orchestration.dbt import (
    Translator,
    failures,
    nodes_to_build,
    project,
    public_models,
    with_sample_rows,
)
from orchestration.ingestion import ingest, ledger_counts
from orchestration.lock import only_run, wait_for_warehouse
from orchestration.progress import step
from orchestration.publication import (
    BuiltFrom,
    built_from,
    core_fingerprint,
    fingerprint,
    note_built_from,
    publish,
    published_build,
    what_was_published,
)
from orchestration.rebuild import mark_for_rebuild
from orchestration.settings import Settings, UserError, load_settings
from orchestration.sources import SOURCES, Source

settings = load_settings()
dbt_project = project()
translator = Translator()
raw_keys = [AssetKey(["raw", source.name]) for source in SOURCES]
number_of_nodes = nodes_to_build(dbt_project)
public_keys = [translator.get_asset_key(model) for model in public_models(dbt_project)]


# A night, and two hours for a long one.
nightly = FreshnessPolicy.time_window(fail_window=timedelta(hours=26))


@dataclass
class Night:
    """A run's settings, and the sources that could not be taken in though the run went on."""

    settings: Settings
    failures: list[UserError] = field(default_factory=list)

    def end(self) -> None:
        """Fail, now that all the rest is done, if a source could not be taken in."""
        if self.failures:
            raise UserError("\n".join(["Not every source was taken in.", *map(str, self.failures)]))


@resource
def warehouse() -> Iterator[Night]:
    """A night, and for the length of a run the lock on everything under AI_USAGE_HOME."""
    with only_run(settings):
        yield Night(settings)


def raw_asset(source: Source) -> AssetsDefinition:
    """Return the asset that takes in what a source has landed."""

    @asset(
        key=["raw", source.name],
        deps=[AssetKey(["landing", source.name])],
        check_specs=[
            AssetCheckSpec(
                "meets_expectations",
                asset=AssetKey(["raw", source.name]),
                description="Great Expectations on every load; a load that fails is not kept.",
            )
        ],
        freshness_policy=nightly,
        group_name="raw",
        kinds={"parquet"},
        required_resource_keys={"warehouse"},
        description=f"Events of landing/{source.name}, typed; a load happens whole or not at all.",
    )
    def raw_events(context: AssetExecutionContext) -> Iterator:
        try:
            with step(source.name) as progress:
                summary = ingest(settings, source, progress.advance)
                progress.result = summary.sentence()
        except UserError as error:
            # The other sources go on, and the night ends with this failure.
            context.resources.warehouse.failures.append(error)
            yield MaterializeResult()
            yield AssetCheckResult(passed=False, metadata={"why": str(error)})
            return
        yield MaterializeResult(
            metadata={
                "files": summary.files,
                "events received": summary.received,
                "events accepted": summary.accepted,
                "events rejected": summary.rejected,
                "unreadable files": [f"{file}: {why}" for file, why in summary.unreadable],
                "first rejections": [f"{f} line {n}: {why}" for f, n, why in summary.rejections],
            }
        )
        yield AssetCheckResult(passed=True)

    return raw_events


@multi_asset(
    specs=[
        AssetSpec(["raw", name], deps=raw_keys, group_name="raw", kinds={"parquet"})
        for name in ("files", "loads", "rejected")
    ],
    required_resource_keys={"warehouse"},
)
def ledger() -> Iterator[MaterializeResult]:
    """The ledger of ingestion: the files in raw/, the loads, and the records that were rejected."""
    for name, rows in ledger_counts(settings).items():
        yield MaterializeResult(asset_key=["raw", name], metadata={"dagster/row_count": rows})


class Rebuild(Config):
    """Days to build anew although nothing of them has changed; a night has none."""

    everything: bool = False
    first_date: str | None = None  # 2026-01-31, in the reporting time zone
    last_date: str | None = None


@dbt_assets(
    manifest=dbt_project.manifest_path,
    project=dbt_project,
    dagster_dbt_translator=translator,
    required_resource_keys={"dbt", "warehouse"},
)
def models(context: AssetExecutionContext, config: Rebuild) -> Iterator:
    """Everything that dbt builds and tests. With nothing new there is nothing to build."""
    build = published_build(settings)
    core, inputs = core_fingerprint(), fingerprint(settings)
    if config.everything or config.first_date or config.last_date:
        mark_for_rebuild(settings, config.first_date, config.last_date)
    if build and build.inputs == inputs == built_from(settings).inputs:
        with step("models") as progress:
            progress.result = f"nothing new since {build.built_at}: the published tables stand"
        context.resources.warehouse.end()
        return
    wait_for_warehouse(settings)
    # One folder for all runs, where dagster-dbt would make a new one for each.
    target = settings.home / "dbt"
    # Unit tests are for whoever changes a model; the night tests the data.
    arguments = ["build", "--exclude-resource-type", "unit_test"]
    full_refresh = built_from(settings).core != core
    if full_refresh:
        arguments.append("--full-refresh")
    # Until all of it is built nothing of it may be published, nor be taken for built anew.
    note_built_from(settings, BuiltFrom(core=None if full_refresh else core))
    (target / "run_results.json").unlink(missing_ok=True)
    with step("models") as progress:
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
            raise UserError(f"Nothing was published, since not all holds:\n{failures(target)}")
        progress.result = f"{models_built} models built, {tests_passed} tests passed"
    if not context.is_subset:
        note_built_from(settings, BuiltFrom(core, inputs))


@asset(
    key=["published", "reports"],
    deps=public_keys,
    check_specs=[
        AssetCheckSpec(
            "compares_well_with_the_version_before",
            asset=AssetKey(["published", "reports"]),
            description="No table lost, no day with fewer tokens, volume and sources as usual.",
        )
    ],
    freshness_policy=nightly,
    group_name="published",
    kinds={"duckdb", "parquet"},
    required_resource_keys={"warehouse"},
)
def published(context: AssetExecutionContext) -> Iterator:
    """The public tables as people and BI tools read them, swapped in at once."""
    inputs = built_from(settings).inputs
    if not inputs:
        raise UserError("The models were not all built and tested: run the whole nightly_rebuild.")
    models = public_models(dbt_project)
    with step("publish") as progress:
        build = publish(settings, models, inputs)
        progress.result = f"{len(build.tables)} tables"
    if build.warnings:
        alert("AI usage: please look at the figures", "\n".join(build.warnings))
    for model in models:
        rows = build.tables[f"{model['schema']}.{model['name']}"]
        key = translator.get_asset_key(model)
        context.log_event(AssetObservation(key, metadata={"dagster/row_count": rows}))
    yield MaterializeResult(metadata=what_was_published(settings))
    yield AssetCheckResult(
        passed=not build.warnings,
        severity=AssetCheckSeverity.WARN,
        metadata={"warnings": build.warnings},
    )
    context.resources.warehouse.end()


landing_assets = [AssetSpec(["landing", source.name], group_name="landing") for source in SOURCES]
raw_assets = [raw_asset(source) for source in SOURCES]
