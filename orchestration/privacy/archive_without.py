"""A person leaves the sums of days past retention: what was theirs is added to nobody's."""

from pathlib import Path

import duckdb

from orchestration.files import quoted, without_wildcards
from orchestration.privacy.names import Names
from orchestration.privacy.searching import is_one_of

# What makes a row of the archive's tables with users, and how two of them become one. Whatever is
# not named here adds up.
KEYS = {
    "int_usage_hourly": (
        "usage_date, usage_hour, user_id, team_id, ai_service, provider, model, source, price_id, "
        "is_sum_of_calls, is_compared"
    ),
    "int_finer_meters": (
        "usage_date, user_id, ai_service, provider, model, price_id, is_sum_of_calls, is_compared"
    ),
    "int_usage_by_user_hourly": "usage_date, usage_hour, user_id",
    "int_usage_daily": "usage_date, grain, ai_service, user_id",
    "int_session_days": "usage_date, session_number, ai_service, user_id, team_id",
    "int_user_days": "usage_date, user_id",
    "int_response_time_buckets": "usage_date, ai_service, user_id, team_id, bucket",
    "int_failures_daily": "usage_date, ai_service, error_type, user_id, team_id",
}
_TOGETHER = {
    **dict.fromkeys(["started_at", "first_seen_at", "first_failed_at"], "min({0})"),
    **dict.fromkeys(
        ["ended_at", "last_seen_at", "last_failed_at", "team_id", "user_name"], "max({0})"
    ),
    # Who used the same AI cannot be told any more, so this is how many there were at least.
    **dict.fromkeys(["active_users", "ai_services_used"], "max({0})"),
    "users_are_hidden": "bool_or({0})",
}
_UNKNOWN_TOGETHER = "case when count(*) = 1 then max({0}) end"  # of two, percentiles are unknown


def query_renamed(path: Path, names: Names, nobody: str) -> str | None:
    """Return the query for a table of the archive in which nobody has what was a person's.

    None if the table does not name them.
    """
    if path.stem not in KEYS:
        return None
    relation = f"read_parquet('{quoted(without_wildcards(path))}')"
    is_theirs = is_one_of("user_id", names)
    with duckdb.connect() as connection:
        columns = connection.execute(f"describe from {relation}").fetchall()
        present = {name for name, *_ in columns}
        # Older ones may know no users, or no teams.
        if "user_id" not in present:
            return None
        is_named = is_theirs
        if "user_name" in present:
            is_named = f"{is_theirs} or {is_one_of('user_name', names)}"
        if not connection.execute(f"select 1 from {relation} where {is_named} limit 1").fetchone():
            return None
    keys = [key for key in KEYS[path.stem].split(", ") if key in present]
    selected, new = [], [f"if({is_theirs}, '{nobody}', user_id) as user_id"]
    for name, kind, *_ in columns:
        if name in keys:
            selected.append(name)
            continue
        how = _TOGETHER.get(name, _UNKNOWN_TOGETHER if kind == "DOUBLE" else "sum({0})")
        if kind.endswith("[]"):
            how = "list_distinct(flatten(list({0})))"
        selected.append(f"cast({how.format(name)} as {kind}) as {name}")
        if name == "user_name":
            new.append(f"if({is_named}, null, user_name) as user_name")
    return (
        f"select {', '.join(selected)} from (select * replace ({', '.join(new)}) from {relation}) "
        f"group by {', '.join(keys)}"
    )
