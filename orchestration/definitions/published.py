"""What Dagster knows of what is published, here and on object storage."""

from collections.abc import Iterator

from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetExecutionContext,
    AssetKey,
    MaterializeResult,
    asset,
)

from orchestration.alerts import alert
from orchestration.console import step
from orchestration.definitions.models import dbt_project, translator
from orchestration.definitions.raw import nightly
from orchestration.publication import publish
from orchestration.publication.build import what_was_published
from orchestration.settings import UserError
from orchestration.warehouse.fingerprints import built_from
from orchestration.warehouse.project import public_models

public_keys = [translator.get_asset_key(model) for model in public_models(dbt_project)]


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
    required_resource_keys={"night"},
)
def published(context: AssetExecutionContext) -> Iterator:
    """The public tables as people and BI tools read them, swapped in at once."""
    settings = context.resources.night.settings
    built = built_from(settings)
    if not built.inputs:
        raise UserError("The models were not all built and tested: run the whole nightly_rebuild.")
    with step("publish") as progress:
        build = publish(settings, public_models(dbt_project), built)
        progress.result = f"{len(build.tables)} tables"
    if build.warnings:
        alert(settings, "AI usage: please look at the figures", "\n".join(build.warnings))
    rows = {f"rows of {table}": count for table, count in build.tables.items()}
    yield MaterializeResult(metadata=what_was_published(settings) | rows)
    yield AssetCheckResult(
        passed=not build.warnings,
        severity=AssetCheckSeverity.WARN,
        metadata={"warnings": build.warnings},
    )


@asset(
    key=["published", "object_storage"],
    deps=[published],
    group_name="published",
    required_resource_keys={"night"},
)
def copied(context: AssetExecutionContext) -> MaterializeResult:
    """The same on object storage, if AI_USAGE_PUBLISH_URL is set."""
    night = context.resources.night
    night.mirror()
    night.end()
    return MaterializeResult(metadata={"address": night.settings.publish_url or "not set"})
