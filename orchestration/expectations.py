"""What Great Expectations judges: every load before it enters raw/."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd

from orchestration.settings import UserError


def judge_load(profile: pd.DataFrame, load_id: str, result_file: Path) -> None:
    """Judge a load by its profile, one row per landing file, and write the result as JSON.

    Ingestion has set bad records aside already; this is the second pair of eyes, which blocks the
    load if any slipped through.

    Raises:
        UserError: an expectation was not met; says which, and the values that broke it.
    """
    # Imported here because it takes seconds, which nobody should pay who only opens the graph.
    import great_expectations as gx
    from great_expectations import expectations as gxe

    soon = (datetime.now(UTC) + timedelta(hours=1)).replace(tzinfo=None)
    suite = gx.ExpectationSuite(
        "load",
        expectations=[
            gxe.ExpectColumnValuesToBeUnique(column="landing_file"),
            gxe.ExpectColumnValuesToNotBeNull(column="landed_at"),
            gxe.ExpectColumnValuesToBeInSet(column="events_without_key", value_set=[0]),
            gxe.ExpectColumnValuesToBeBetween(
                column="first_event_at", min_value=datetime(2000, 1, 1)
            ),
            gxe.ExpectColumnValuesToBeBetween(column="last_event_at", max_value=soon),
            gxe.ExpectColumnValuesToBeBetween(column="fewest_tokens", min_value=0),
            gxe.ExpectColumnValuesToBeBetween(column="most_tokens", max_value=1_000_000_000),
        ],
    )
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    asset = context.data_sources.add_pandas("loads").add_dataframe_asset("profile")
    definition = asset.add_batch_definition_whole_dataframe("whole")
    result = definition.get_batch({"dataframe": profile}).validate(suite)
    result_file.write_text(json.dumps(result.to_json_dict(), indent=1, default=str))
    if not result.success:
        broken = "; ".join(
            f"{failed.expectation_config.type} on {failed.expectation_config.kwargs['column']}: "
            f"{failed.result.get('partial_unexpected_list')}"
            for failed in result.results
            if not failed.success
        )
        raise UserError(
            f"The load {load_id} does not meet its expectations and was not taken in: {broken}. "
            "Please look at the landed files and report this."
        )
