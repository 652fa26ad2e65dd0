"""dbt, run in this process: it starts at once, and whatever ends a night ends its dbt."""

from collections.abc import Callable
from pathlib import Path

import duckdb
from dbt.contracts.graph.manifest import Manifest
from dbt.contracts.results import RunResult
from dbt_common.events.base_types import EventMsg

from orchestration.settings import PROJECT, Settings, UserError

PROFILES = PROJECT / "profiles"


def run_dbt(
    *arguments: str,
    target: Path,
    manifest: Manifest | None = None,
    on_event: Callable[[EventMsg], None] | None = None,
) -> Manifest | list[RunResult]:
    """Run dbt's command; return what `parse` makes, of others the result of each node.

    Without a manifest dbt parses the project, as it does anew for each home. Nodes may have failed,
    see `failures`.

    Raises:
        UserError: dbt stopped before its end; says what dbt says.
    """
    # A night with nothing new can do without.
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.cli.main import dbtRunner

    runner = dbtRunner(manifest, [on_event] if on_event else [])
    # A log file of every step of dbt's, its default, costs a third of a build's time.
    options = ["--project-dir", PROJECT, "--profiles-dir", PROFILES, "--log-level-file", "none"]
    try:
        done = runner.invoke([*arguments, *map(str, options), "--target-path", str(target)])
    finally:
        # dbt would keep the file open for as long as this process lasts.
        DuckDBConnectionManager.close_all_connections()
    if isinstance(done.exception, Exception):
        raise UserError(f"dbt stopped: {done.exception}") from done.exception
    if done.exception:
        raise done.exception  # Ctrl+C
    return getattr(done.result, "results", done.result)


def failures(results: list[RunResult], settings: Settings | None = None) -> str:
    """Return a line for each node that failed, with its file and what dbt says of it.

    With settings, so that the warehouse can be asked, of a data test also what is wrong: its column
    `to_do` says it, or `broken` with the row's other columns.
    """
    return "\n".join(
        "\n      ".join(
            [
                f"  {result.node.original_file_path}: {result.node.name}",
                *(result.message or "").strip().splitlines(),
                *(_what_is_wrong(settings, result) if settings and result.status == "fail" else ()),
            ]
        )
        for result in results
        if result.status in ("error", "fail", "runtime error")
    )


def _what_is_wrong(settings: Settings, test: RunResult) -> list[str]:
    said = []
    for row in failed_rows(settings, test):
        if "to_do" in row:
            said.append(row["to_do"])
        elif broken := row.pop("broken", None):
            of = ", ".join(f"{name} {value}" for name, value in row.items())
            said.append(f"{broken}: {of}")
    return said


def failed_rows(settings: Settings, test: RunResult) -> list[dict[str, str]]:
    """Return the first rows that failed a test."""
    with duckdb.connect(str(settings.warehouse), read_only=True) as connection:
        rows = connection.sql(test.node.compiled_code).limit(5)
        return [dict(zip(rows.columns, map(str, row), strict=True)) for row in rows.fetchall()]
