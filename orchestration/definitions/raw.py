"""What Dagster knows of landing/ and raw/: the sources, each taken in by itself, and the ledger."""

from collections.abc import Iterator
from dataclasses import dataclass, field
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
    resource,
)

from orchestration.console import step
from orchestration.ingestion import ledger_counts
from orchestration.ingestion.litellm_database import take_in
from orchestration.lock import only_run
from orchestration.privacy.retention import drop_past_retention
from orchestration.publication.mirror import mirror_current
from orchestration.settings import UserError, load_settings
from orchestration.sources import SOURCES, Source
from orchestration.warehouse.archive import archived_through
from orchestration.warehouse.project import archived_models, project

settings = load_settings()
raw_keys = [AssetKey(["raw", source.name]) for source in SOURCES]

# A night, and two hours for a long one.
nightly = FreshnessPolicy.time_window(fail_window=timedelta(hours=26))


@dataclass
class Night:
    """What could not be done though the run went on."""

    failures: list[UserError] = field(default_factory=list)

    def end(self) -> None:
        """Have what is published on object storage too, where that is set.

        Raises:
            UserError: that could not be, or something before it, now that all the rest is done.
        """
        reasons = self.reasons("All else was done, but:")
        try:
            mirror_current(settings)
        except UserError as error:
            reasons.append(str(error))
        if reasons:
            raise UserError("\n".join(reasons))

    def reasons(self, heading: str) -> list[str]:
        """Return what could not be done, under a heading; nothing if there is nothing."""
        # Object storage that is out of reach fails each source in the same words.
        return [heading, *dict.fromkeys(map(str, self.failures))] if self.failures else []


@resource
def warehouse() -> Iterator[Night]:
    """A night, and for the length of a run the lock on everything under AI_USAGE_HOME."""
    with only_run(settings):
        yield Night()


@asset(
    group_name="raw",
    kinds={"parquet"},
    required_resource_keys={"warehouse"},
)
def archive(context: AssetExecutionContext) -> MaterializeResult:
    """The sums of days whose requests are past retention, which go from raw/."""
    archived_through(settings)  # that the archive cannot be read at all ends the night
    archived = None
    try:
        archived = drop_past_retention(settings, archived_models(project()))
    except UserError as error:
        # Nothing was removed: all else goes on, and the night ends with this failure.
        context.resources.warehouse.failures.append(error)
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
        required_resource_keys={"warehouse"},
        description=f"Events of landing/{source.name}, typed; a load happens whole or not at all.",
    )
    def raw_events(context: AssetExecutionContext) -> Iterator:
        try:
            with step(source.name) as progress:
                summary = take_in(settings, source, progress.advance)
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
                **({} if summary.rows_read is None else {"rows read": summary.rows_read}),
                "events received": summary.received,
                "events accepted": summary.accepted,
                "events rejected": summary.rejected,
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
    required_resource_keys={"warehouse"},
)
def ledger() -> Iterator[MaterializeResult]:
    """The ledger of ingestion: the files in raw/, the loads, and the records that were rejected."""
    for name, rows in ledger_counts(settings).items():
        yield MaterializeResult(asset_key=["raw", name], metadata={"dagster/row_count": rows})


landing_assets = [AssetSpec(["landing", source.name], group_name="landing") for source in SOURCES]
raw_assets = [archive, *(raw_asset(source) for source in SOURCES)]
