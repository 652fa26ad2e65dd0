"""What Great Expectations judges: every load before it enters raw/, every version before readers.

Suites are code and contexts last for one judgement. Great Expectations is imported when it is
needed, since that takes seconds, which nobody should pay who only opens the graph.
"""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from orchestration.settings import UserError


def judge_load(profile: pd.DataFrame, load_id: str, result_file: Path) -> None:
    """Judge a load by its profile, one row per landing file, and write the result as JSON.

    Ingestion has set bad records aside already; this is the second pair of eyes, which blocks the
    load if any slipped through.

    Raises:
        UserError: an expectation was not met; says which, and the values that broke it.
    """
    from great_expectations import expectations as gxe

    soon = (datetime.now(UTC) + timedelta(hours=1)).replace(tzinfo=None)
    result = _validate(
        "load",
        profile,
        [
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
    result_file.write_text(json.dumps(_as_json(result), indent=1))
    if not result.success:
        broken = "; ".join(
            f"{failed.expectation_config.type} on {failed.expectation_config.kwargs['column']}: "
            f"{failed.result.get('partial_unexpected_list')}"
            for failed in _failures(result)
        )
        raise UserError(
            f"The load {load_id} does not meet its expectations and was not taken in: {broken}. "
            "Please look at the landed files and report this."
        )


def judge_fields(fields: pd.DataFrame, load_id: str, result_file: Path) -> None:
    """Judge the frame of ingestion.schema_drift: whether the format has lost what is needed of it.

    Raises:
        UserError: a field is gone, or has become another, in nearly all events of the load.
    """
    if not fields["events_at_least"].any():
        return  # no load before to compare with, or too few events to tell
    from great_expectations import expectations as gxe

    result = _validate(
        "fields",
        fields.drop(columns="first_files"),
        [
            gxe.ExpectColumnPairValuesAToBeGreaterThanB(
                column_A="events_right",
                column_B="events_at_least",
                or_equal=True,
                description="what was right in the loads before is right in some events at least",
            )
        ],
    )
    result_file.write_text(json.dumps(_as_json(result), indent=1))
    for failed in _failures(result):
        lost = fields.iloc[failed.result["unexpected_index_list"]].to_dict("records")
        raise UserError(
            f"The format of what landed has changed, and nothing of the load {load_id} was taken "
            "in, since reports would lack it: "
            + "; ".join(map(_lost, lost))
            + ". It is tried again every night: mend the files, or move them away, or update this "
            "project, if it does not know the new format yet. If this is meant, run once with "
            "AI_USAGE_ACCEPT_CHANGES=1."
        )


def _lost(field: dict) -> str:
    names = ", ".join(field["first_files"])
    if field["files"] > len(field["first_files"]):
        names += f" and {field['files'] - len(field['first_files']):,} more files"
    before = "no load before had it right"
    if isinstance(field["since"], str):
        since = datetime.strptime(field["since"][:8], "%Y%m%d")
        before = f"in loads since {since:%Y-%m-%d} it was right"
    wrong = field["events"] - field["events_right"]
    what = f"{field['field']} is missing" if field["is_needed"] else field["field"]
    return f"{what} in {wrong:,} of {field['events']:,} events, in {names} ({before})"


def judge_publication(
    frames: dict[str, pd.DataFrame],
) -> tuple[list[str], list[tuple[str, dict]]]:
    """Judge a version by the frames of orchestration.publication.comparison.

    Returns:
        What to warn people of; and each frame's name and result, as Great Expectations' JSON.

    Raises:
        UserError: something is lost that the version before had. It must not be published.
    """
    from great_expectations import expectations as gxe

    suites = {
        "tables": [
            gxe.ExpectColumnValuesToBeBetween(
                column="rows_now",
                min_value=1,
                description="a table is empty that had rows before",
            ),
        ],
        "lost_tokens": [
            gxe.ExpectColumnValuesToBeBetween(
                column="tokens_lost",
                max_value=0,
                description="a day has lost tokens though nothing landed for it",
            ),
        ],
        "volume": [
            gxe.ExpectColumnPairValuesAToBeGreaterThanB(
                column_A="requests",
                column_B="requests_at_least",
                or_equal=True,
                severity="warning",
                description="far fewer requests than on this weekday in the weeks before",
            ),
            gxe.ExpectColumnPairValuesAToBeGreaterThanB(
                column_A="requests_at_most",
                column_B="requests",
                or_equal=True,
                severity="warning",
                description="far more requests than on this weekday in the weeks before",
            ),
        ],
        "silence": [
            gxe.ExpectColumnValuesToBeBetween(
                column="silent_days",
                max_value=2,
                severity="warning",
                description="a source that lands every day has landed nothing for days",
            ),
        ],
    }
    warnings, losses, results = [], [], []
    for name, frame in frames.items():
        if frame.empty:
            continue
        result = _validate(name, frame, suites[name])
        results.append((name.replace("_", " "), _as_json(result)))
        for failed in _failures(result):
            config = failed.expectation_config
            rows = frame.iloc[failed.result["unexpected_index_list"]].head(5)
            said = f"{config.description}: " + "; ".join(
                ", ".join(f"{column} {_text(value)}" for column, value in row.items())
                for row in rows.to_dict("records")
            )
            (warnings if config.severity == "warning" else losses).append(said)
    if losses:
        raise UserError(
            "Not published, since it lacks what the version before has: "
            + "; ".join(losses)
            + ". What was published before still stands. If this is meant, for instance since a "
            "model has changed, run once with AI_USAGE_ACCEPT_CHANGES=1."
        )
    return warnings, results


def _validate(name: str, frame: pd.DataFrame, expectations: list) -> Any:
    import great_expectations as gx

    suite = gx.ExpectationSuite(name, expectations=expectations)
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    asset = context.data_sources.add_pandas(name).add_dataframe_asset(name)
    definition = asset.add_batch_definition_whole_dataframe("whole")
    return definition.get_batch({"dataframe": frame}).validate(
        suite, result_format={"result_format": "COMPLETE"}
    )


def _as_json(result: Any) -> dict:
    return json.loads(json.dumps(result.to_json_dict(), default=str))


def _failures(result: Any) -> list:
    return [one for one in result.results if not one.success]


def _text(value: Any) -> str:
    """Write a figure as people do: 1,234 and no 1234.0; dates without a time."""
    if isinstance(value, float):
        return f"{value:,.0f}"
    return f"{value:%Y-%m-%d}" if isinstance(value, datetime) else str(value)
