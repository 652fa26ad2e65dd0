"""What Great Expectations judges of a version before readers see it."""

import pandas as pd

from orchestration.settings import UserError
from orchestration.validation import as_json, failures, text, validate

# Of what is found in one way, the first are told one by one.
_MOST_ROWS = 20


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
        "changed": [
            gxe.ExpectColumnValuesToBeBetween(
                column="changed_days",
                max_value=0,
                description="days have other figures though nothing landed for them",
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
        "prices_apart": [
            gxe.ExpectColumnValuesToBeBetween(
                column="days_apart",
                max_value=0,
                severity="warning",
                description="what the gateway charges parts from the price by more than 10 % (see "
                "cost.price_differences; a price of your own goes into seeds/price_overrides.csv)",
            ),
        ],
        "unknown_tiers": [
            gxe.ExpectColumnValuesToBeBetween(
                column="requests_at_unknown_tier",
                max_value=0,
                severity="warning",
                description="a service tier has no known price, nor have its requests (give it a "
                "factor in seeds/price_factors.csv, or a price in seeds/price_overrides.csv)",
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
        result = validate(name, frame, suites[name])
        results.append((name.replace("_", " "), as_json(result)))
        for failed in failures(result):
            config = failed.expectation_config
            rows = frame.iloc[failed.result["unexpected_index_list"]]
            said = f"{config.description}: " + "; ".join(
                ", ".join(f"{column} {text(value)}" for column, value in row.items())
                for row in rows.head(_MOST_ROWS).to_dict("records")
            )
            if len(rows) > _MOST_ROWS:
                said += f"; and {len(rows) - _MOST_ROWS} more"
            (warnings if config.severity == "warning" else losses).append(said)
    if losses:
        raise UserError(
            "Not published, since it differs from the version before: "
            + "; ".join(losses)
            + ". What was published before still stands. If this is meant, for instance since a "
            "model has changed, run once with AI_USAGE_ACCEPT_CHANGES=1."
        )
    return warnings, results
