"""Every column of every published table, beside what plain Python makes of the landing files."""

import json
from collections.abc import Iterable
from decimal import Decimal
from math import isclose
from typing import Any

import duckdb
from conftest import Warehouse
from recomputation import Recomputation, Row, percentile

# Of prices the test asks what requests cost, and whether they have one: see tests/integration.
NOT_RECOMPUTED = {"core.dim_prices"}
GRAIN = {
    "core.fct_requests": ("request_id",),
    "core.fct_sessions": ("session_id",),
    "core.dim_users": ("user_id",),
    "core.dim_ai_services": ("ai_service",),
    "core.dim_models": ("provider", "model"),
    "usage.usage_by_day": ("usage_date",),
    "usage.usage_by_ai_service": ("usage_date", "ai_service"),
    "usage.usage_by_user": ("usage_date", "user_id"),
    "usage.token_usage_details": ("usage_date", "user_id", "ai_service", "model", "meter"),
    "usage.usage_by_team": ("usage_date", "team_id"),
    "usage.usage_by_ai_user_and_team": ("usage_date", "ai_service", "user_id", "team_id"),
    "usage.growth_by_ai": ("period_type", "period_start", "ai_service"),
    "usage.growth_by_user": ("period_type", "period_start", "user_id"),
    "usage.tokens_by_day_and_ai": ("usage_date", "ai_service"),
    "usage.tokens_by_ai": ("ai_service",),
    "usage.tokens_by_user_and_ai": ("user_id", "ai_service"),
    "usage.user_prompts": ("usage_date", "user_id"),
    "usage.requests_over_time": ("usage_hour", "ai_service"),
    "usage.total_prompts_by_ai": ("ai_service",),
    "cost.cost_by_day_and_ai": ("usage_date", "ai_service"),
    "cost.cost_by_day_and_user": ("usage_date", "user_id"),
    "cost.cost_by_day_ai_and_user": ("usage_date", "ai_service", "user_id"),
    "cost.cost_by_team": ("usage_date", "team_id"),
    "cost.price_differences": ("usage_date", "provider", "model"),
    "cost.time_of_use": ("usage_date", "hour_of_day", "ai_service"),
    "cost.time_of_use_by_user": ("usage_date", "hour_of_day", "user_id"),
    "technical.errors_by_type": ("usage_date", "ai_service", "error_type"),
    "technical.errors_by_user": ("usage_date", "ai_service", "error_type", "user_id", "team_id"),
    "technical.long_term_trends": ("period_type", "period_start", "ai_service"),
    "technical.response_averages_by_ai": ("usage_date", "ai_service"),
    "technical.response_averages_by_user": ("usage_date", "user_id"),
    "technical.session_averages_by_ai": ("usage_date", "ai_service"),
    "technical.session_averages_by_user": ("usage_date", "user_id"),
    "technical.data_quality": ("usage_date", "source"),
}

# What a bucket of sessions adds up besides, and of what.
SUMMED = {"total_session_length_s": "session_length_s"}
SUMMED |= {"prompts": "prompts", "responses": "responses"}


def published_tables(warehouse: Warehouse) -> dict[str, list[Row]]:
    path = warehouse.home / "published/reports.duckdb"
    names = json.loads((warehouse.home / "published/current/build.json").read_text())["tables"]
    tables = {}
    with duckdb.connect(str(path), read_only=True) as connection:
        for name in names:
            cursor = connection.execute(f"from {name}")
            columns = [column[0] for column in cursor.description]
            tables[name] = [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
    for difference in tables["cost.price_differences"]:
        del difference["likely_cause"]  # what is likely is the model's to say
    for request in tables["core.fct_requests"]:
        request["has_price"] = request.pop("price_id") is not None
    return tables


def name_sessions_alike(requests: list[Row], sessions: list[Row]) -> None:
    """Call each derived session after its first request: how it is called is nobody's business."""
    names: dict[str, str] = {}
    for row in sorted(requests, key=lambda row: (row["requested_at"], row["request_id"])):
        if row["session_id_source"] == "derived":
            names.setdefault(row["session_id"], row["request_id"])
    for row in (*requests, *sessions):
        if row["session_id_source"] == "derived":
            row["session_id"] = names[row["session_id"]]


def agree(table: str, column: str, published: Any, recomputed: Any) -> bool:
    if published is None or recomputed is None:
        return published is recomputed
    if column in ("cost_usd", "list_cost_usd", "cost_usd_before", "cost_usd_difference"):
        tolerance = Decimal("1e-9") if table == "core.fct_requests" else Decimal("1e-6")
        return abs(published - recomputed) <= tolerance
    if column == "cost_per_million_tokens_usd":  # has six decimals
        return abs(published - recomputed) <= Decimal("1e-6")
    if isinstance(published, float):
        return isclose(published, recomputed, rel_tol=1e-9, abs_tol=1e-9)
    return published == recomputed


def differences(table: str, published: list[Row], recomputed: list[Row]) -> Iterable[tuple]:
    """(table, column, grain, published, recomputed) of every value that is not the same."""

    def keyed(rows: list[Row]) -> dict[tuple, Row]:
        return {tuple(row[name] for name in GRAIN[table]): row for row in rows}

    one, other = keyed(published), keyed(recomputed)
    assert len(one) == len(published), table
    assert len(other) == len(recomputed), table
    for key in sorted(one.keys() ^ other.keys(), key=str):
        yield table, "the row", key, one.get(key), other.get(key)
    for key in one.keys() & other.keys():
        for column in one[key].keys() | other[key].keys():
            values = [row.get(column, "no such column") for row in (one[key], other[key])]
            if not agree(table, column, *values):
                yield table, column, key, *values


def assert_buckets_hold(table: str, published: list[Row], exact: dict[tuple, list[Row]]) -> None:
    """Every value lies in a bucket 5 % wide, and percentiles can be read to within 5 %."""
    value, unit, measure = {
        "response_times": ("response_time", "ms", "responses"),
        "session_lengths": ("session_length", "s", "sessions"),
    }[table.partition(".")[2].removesuffix("_by_user")]
    low, high, of = f"{value}_from_{unit}", f"{value}_to_{unit}", f"{value}_{unit}"
    grain = ("usage_date", "ai_service", "user_id", "team_id")[: len(next(iter(exact), ()))]
    buckets: dict[tuple, list[Row]] = {}
    for row in published:
        buckets.setdefault(tuple(row[name] for name in grain), []).append(row)
    assert buckets.keys() == exact.keys(), table
    for key, of_key in buckets.items():
        for row in of_key:
            assert row[low] == 0 or row[high] / row[low] <= 1.05 + 1e-12
            within = [one for one in exact[key] if row[low] <= float(one[of]) < row[high]]
            assert row[measure] == len(within), (table, key, row)
            for name, summed in SUMMED.items():
                if name in row and name != measure:
                    expected = sum(one[summed] for one in within)
                    assert row[name] == expected, (table, key, row, expected)
        assert sum(row[measure] for row in of_key) == len(exact[key])
    # Of a day, and over all days: what adds up can be read in any range.
    for places in ((0, 1), (1,)):
        read: dict[tuple, list[float]] = {}
        true: dict[tuple, list[Any]] = {}
        for key in exact:
            whose = tuple(key[place] for place in places)
            for row in buckets[key]:
                read.setdefault(whose, []).extend([row[high]] * row[measure])
            true.setdefault(whose, []).extend(one[of] for one in exact[key])
        for whose in true:
            assert_percentiles_can_be_read(read[whose], true[whose])


def assert_percentiles_can_be_read(read: list[float], exact: list) -> None:
    """Take the upper bound for every value; what is under 1 has no bucket of its own."""
    at_most = [max(1.05 * float(value), 1) for value in exact]
    for percent in (50, 95):
        least, most = percentile(exact, percent), percentile(at_most, percent)
        assert least <= percentile(read, percent) <= most + 1e-9


def assert_recomputed(
    warehouse: Warehouse, expected: Recomputation, but_for: tuple[str, ...] = ()
) -> None:
    """Compare all tables, but for columns whose names begin so."""
    published = published_tables(warehouse)
    for tables in (published, expected.tables):
        name_sessions_alike(tables["core.fct_requests"], tables["core.fct_sessions"])
    assert published.keys() - NOT_RECOMPUTED == expected.tables.keys() | expected.buckets.keys()
    found = [
        difference
        for table, recomputed in expected.tables.items()
        for difference in differences(table, published[table], recomputed)
        if not difference[1].startswith(but_for)
    ]
    summary: dict[tuple, list] = {}
    for table, column, *example in found:
        summary.setdefault((table, column), []).append(example)
    lines = [f"{key}: {len(all_)}, such as {all_[:2]}" for key, all_ in summary.items()]
    assert not found, "\n".join(["published and recomputed differ:", *lines])
    for table, exact in expected.buckets.items():
        assert_buckets_hold(table, published[table], exact)
