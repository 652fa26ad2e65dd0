"""Great Expectations, as ingestion and publication use it.

Suites are code and contexts last for one judgement. It is imported when it is needed, since that
takes seconds, which nobody should pay who only opens the graph.
"""

import json
from datetime import datetime
from typing import Any

import pandas as pd


def validate(name: str, frame: pd.DataFrame, expectations: list) -> Any:
    """Validate a frame against Great Expectations' expectations; return its result."""
    import great_expectations as gx

    suite = gx.ExpectationSuite(name, expectations=expectations)
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    asset = context.data_sources.add_pandas(name).add_dataframe_asset(name)
    definition = asset.add_batch_definition_whole_dataframe("whole")
    return definition.get_batch({"dataframe": frame}).validate(
        suite, result_format={"result_format": "COMPLETE"}
    )


def as_json(result: Any) -> dict:
    """Return a result as plain JSON; what JSON does not know, such as times, as text."""
    return json.loads(json.dumps(result.to_json_dict(), default=str))


def failures(result: Any) -> list:
    """Return the results of the expectations that were not met."""
    return [one for one in result.results if not one.success]


def text(value: Any) -> str:
    """Write a figure as people do: 1,234 and no 1234.0, 2.5 and no 2; dates without a time."""
    if isinstance(value, float):
        return f"{value:,.10g}"
    return f"{value:%Y-%m-%d}" if isinstance(value, datetime) else str(value)
