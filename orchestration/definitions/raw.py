"""What Dagster knows of landing/ and raw/: the sources, each taken in by itself, and the ledger."""

from collections.abc import Iterator
from datetime import timedelta

from dagster import (
    AssetCheckResult,
    AssetCheckSpec,
    AssetExecutionContext,
    AssetKey,
    AssetsDefinition,
    AssetSpec,
    FreshnessPolicy,
    MaterializeResult,
    asset,
    multi_asset,
)

from orchestration.console import step
from orchestration.ingestion import counts
from orchestration.ingestion.litellm_database import take_in
from orchestration.privacy.retention import drop_past_retention
from orchestration.publication.history import refuse_lost_history
from orchestration.settings import UserError
from orchestration.sources import SOURCES, Source
from orchestration.warehouse.archive import archived_through
from orchestration.warehouse.project import archived_models, project

raw_keys = [AssetKey(["raw", source.name]) for source in SOURCES]

# A night, and two hours for a long one.
nightly = FreshnessPolicy.time_window(fail_window=timedelta(hours=26))


@asset(
    group_name="raw",
    kinds={"parquet"},
    required_resource_keys={"night"},
)
def archive(context: AssetExecutionContext) -> MaterializeResult:
    """The sums of days whose requests are past retention, which go from raw/; first of a night."""
    settings = context.resources.night.settings
    refuse_lost_history(settings)
    archived_through(settings)  # that the archive cannot be read at all ends the night
    archived = None
    try:
        archived = drop_past_retention(settings, archived_models(project()))
    except UserError as error:
        # Nothing was removed: all else goes on, and the night ends with this failure.
        context.resources.night.failures.append(error)
    if archived:
        with step("retention") as progress:
            progress.result = (
                f"{archived.requests:,} requests of {archived.days:,} days, up to "
                f"{archived.through}, were archived as sums"
            )
    return MaterializeResult(metadata={"days archived": archived.days if archived else 0})


def raw_asset(source: Source) -> AssetsDefinition:
    """Return the asset that takes in what a source has landed."""

    @asset(
        key=["raw", source.name],
        deps=[AssetKey(["landing", source.name]), archive],
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
        required_resource_keys={"night"},
        description=f"Events of landing/{source.name}, typed; a load happens whole or not at all.",
    )
    def raw_events(context: AssetExecutionContext) -> Iterator:
        try:
            with step(source.name) as progress:
                summary = take_in(context.resources.night.settings, source, progress.advance)
                progress.result = summary.sentence()
        except UserError as error:
            # The other sources go on, and the night ends with this failure.
            context.resources.night.failures.append(error)
            yield MaterializeResult()
            yield AssetCheckResult(passed=False, metadata={"why": str(error)})
            return
        yield MaterializeResult(
            metadata={
                "files": summary.files,
                **({} if summary.rows_read is None else {"rows read": summary.rows_read}),
                **({"files read again": summary.files_again} if summary.files_again else {}),
                **({"files gone, read with less": summary.gone} if summary.gone else {}),
                "events received": summary.received,
                "events accepted": summary.accepted,
                "events rejected": summary.rejected,
                "passed over": summary.of_other_kinds(),
                "unreadable files": [f"{file}: {why}" for file, why in summary.unreadable[:10]],
                "new fields, not read": summary.new_fields,
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
    required_resource_keys={"night"},
)
def ledger(context: AssetExecutionContext) -> Iterator[MaterializeResult]:
    """The ledger of ingestion: the files in raw/, the loads, and the records that were rejected."""
    for name, rows in counts(context.resources.night.settings).items():
        yield MaterializeResult(asset_key=["raw", name], metadata={"dagster/row_count": rows})


landing_assets = [AssetSpec(["landing", source.name], group_name="landing") for source in SOURCES]
raw_assets = [archive, *(raw_asset(source) for source in SOURCES)]
