"""The Dagster code location: from landing to publication, every night."""

from collections.abc import Iterator

from dagster import (
    AssetCheckResult,
    AssetExecutionContext,
    AssetKey,
    AssetsDefinition,
    AssetSpec,
    DefaultScheduleStatus,
    Definitions,
    MaterializeResult,
    ScheduleDefinition,
    asset,
    define_asset_job,
    in_process_executor,
    multi_asset,
    resource,
)
from dagster_dbt import dbt_assets

from orchestration.dbt import (
    Translator,
    dbt_resource,
    failures,
    nodes_to_build,
    project,
    public_models,
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
)
from orchestration.settings import Settings, UserError, load_settings
from orchestration.sources import SOURCES, Source

settings = load_settings()
dbt_project = project()
translator = Translator()
raw_keys = [AssetKey(["raw", source.name]) for source in SOURCES]
number_of_nodes = nodes_to_build(dbt_project)
public_keys = [translator.get_asset_key(model) for model in public_models(dbt_project)]


@resource
def warehouse() -> Iterator[Settings]:
    """The settings, and for the length of a run the lock on everything under AI_USAGE_HOME."""
    with only_run(settings):
        yield settings


def raw_asset(source: Source) -> AssetsDefinition:
    """Return the asset that takes in what a source has landed."""

    @asset(
        key=["raw", source.name],
        deps=[AssetKey(["landing", source.name])],
        group_name="raw",
        kinds={"parquet"},
        required_resource_keys={"warehouse"},
        description=f"Events of landing/{source.name}, typed; a load happens whole or not at all.",
    )
    def raw_events() -> MaterializeResult:
        with step(source.name) as progress:
            summary = ingest(settings, source, progress.advance)
            progress.result = summary.sentence()
        return MaterializeResult(
            metadata={
                "files": summary.files,
                "events received": summary.received,
                "events accepted": summary.accepted,
                "events rejected": summary.rejected,
                "unreadable files": [f"{file}: {why}" for file, why in summary.unreadable],
                "first rejections": [f"{f} line {n}: {why}" for f, n, why in summary.rejections],
            }
        )

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


@dbt_assets(
    manifest=dbt_project.manifest_path,
    project=dbt_project,
    dagster_dbt_translator=translator,
    required_resource_keys={"dbt", "warehouse"},
)
def models(context: AssetExecutionContext) -> Iterator:
    """Everything that dbt builds and tests. With nothing new there is nothing to build."""
    build = published_build(settings)
    core, inputs = core_fingerprint(), fingerprint(settings)
    if build and build.inputs == inputs:
        with step("models") as progress:
            progress.result = f"nothing new since {build.built_at}: the published tables stand"
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
        models_built, tests_passed = 0, 0
        for event in invocation.stream():
            if isinstance(event, AssetCheckResult):
                tests_passed += event.passed
            else:
                models_built += 1
            progress.advance(models_built + tests_passed, number_of_nodes)
            yield event
        if not invocation.is_successful():
            raise UserError(f"Nothing was published, since not all holds:\n{failures(target)}")
        progress.result = f"{models_built} models built, {tests_passed} tests passed"
    if not context.is_subset:
        note_built_from(settings, BuiltFrom(core, inputs))


@asset(
    key=["published", "reports"],
    deps=public_keys,
    group_name="published",
    kinds={"duckdb", "parquet"},
    required_resource_keys={"warehouse"},
)
def published() -> MaterializeResult:
    """The public tables as people and BI tools read them, swapped in at once."""
    inputs = built_from(settings).inputs
    if not inputs:
        raise UserError("The models were not all built and tested: run the whole nightly_rebuild.")
    with step("publish") as progress:
        build = publish(settings, public_models(dbt_project), inputs)
        progress.result = f"{len(build.tables)} tables"
    return MaterializeResult(metadata=dict(build.tables))


nightly_rebuild = define_asset_job(
    "nightly_rebuild", description="Take in what has landed, rebuild what changed, publish."
)

defs = Definitions(
    assets=[
        *(AssetSpec(["landing", source.name], group_name="landing") for source in SOURCES),
        *(raw_asset(source) for source in SOURCES),
        ledger,
        models,
        published,
    ],
    jobs=[nightly_rebuild],
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
