"""What Great Expectations judges of a load before it enters raw/."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd

from orchestration.ingestion import ledger
from orchestration.settings import UserError
from orchestration.validation import as_json, failures, validate


def judge_load(profile: pd.DataFrame, load_id: str, result_file: Path) -> None:
    """Judge a load by its profile, one row per landing file, and write the result as JSON.

    Ingestion has set bad records aside already; this is the second pair of eyes, which blocks the
    load if any slipped through.

    Raises:
        UserError: an expectation was not met; says which, and the values that broke it.
    """
    from great_expectations import expectations as gxe

    soon = (datetime.now(UTC) + timedelta(hours=1)).replace(tzinfo=None)
    result = validate(
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
    result_file.write_text(json.dumps(as_json(result), indent=1))
    if not result.success:
        broken = "; ".join(
            f"{failed.expectation_config.type} on {failed.expectation_config.kwargs['column']}: "
            f"{failed.result.get('partial_unexpected_list')}"
            for failed in failures(result)
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

    result = validate(
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
    result_file.write_text(json.dumps(as_json(result), indent=1))
    for failed in failures(result):
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
        before = f"in loads since {ledger.started_at(field['since']):%Y-%m-%d} it was right"
    wrong = field["events"] - field["events_right"]
    what = f"{field['field']} is missing" if field["is_needed"] else field["field"]
    return f"{what} in {wrong:,} of {field['events']:,} events, in {names} ({before})"
