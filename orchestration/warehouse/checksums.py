"""What each core model's SQL means, so that only what other SQL has built is built anew.

A model's checksum is that of its compiled SQL and of all that it reads. dbt compiles it for a
scratch home, so that it depends on code and settings alone, never on what has landed.
"""

import hashlib
import json
import os
import re
import shutil
from functools import cache

import duckdb
from dagster_dbt import DbtProject
from dbt import tracking
from dbt.contracts.graph.manifest import Manifest

from orchestration.files import quoted
from orchestration.settings import Settings, UserError, variable
from orchestration.warehouse.dbt import failures, run_dbt
from orchestration.warehouse.fingerprints import BuiltFrom, built_from, code_fingerprint
from orchestration.warehouse.project import archived_models, parsed

# What they hold is in what each day's sums are known to be made of: a new name, price or team
# rebuilds the days that have it and no other, whatever code or seed it comes from.
_KNOWN_BY_CONTENT = {
    "model.ai_usage.dim_models",
    "model.ai_usage.dim_prices",
    "model.ai_usage.int_teams",
}
# What runs before any model, and decides what of raw/ they see.
_RAW_VIEWS = "macro.ai_usage.create_raw_views"


def built_by_this_code(settings: Settings, dbt_project: DbtProject) -> BuiltFrom:
    """Return what a build of now is built from, but for its inputs.

    dbt compiles only if a file has changed since the last build that was noted.

    Raises:
        UserError: dbt cannot compile the models; says what dbt says.
    """
    built, code = built_from(settings), code_fingerprint(settings)
    if built.code == code:
        return BuiltFrom(code, built.models)
    return BuiltFrom(code, _checksums(_compiled(settings, dbt_project)))


def _compiled(settings: Settings, dbt_project: DbtProject) -> Manifest:
    """Return dbt's manifest with the SQL of the models built day by day and of all they read."""
    scratch = settings.home / "tmp" / "compiled"
    shutil.rmtree(scratch, ignore_errors=True)
    # As if days of each were archived: the SQL that reads those counts, too.
    (scratch / "archive/1970-01-01").mkdir(parents=True)
    for model in archived_models(dbt_project):
        (scratch / f"archive/1970-01-01/{model['name']}.parquet").touch()
    manifest = parsed(dbt_project)
    by_day = ("--select", "+config.materialized:incremental", "--indirect-selection", "empty")
    arguments = ("compile", "--quiet", "--full-refresh", "--no-write-json", *by_day)
    os.environ[variable("home")] = str(scratch)
    try:
        results = run_dbt(*arguments, target=scratch, manifest=manifest)
    finally:
        os.environ[variable("home")] = str(settings.home)
    if failed := failures(results):
        raise UserError(f"dbt cannot compile the models:\n{failed}")
    shutil.rmtree(scratch)
    # int_requests notes when it was built.
    started_at = str(tracking.active_user.run_started_at)
    for result in results:
        sql = result.node.compiled_code or ""
        sql = sql.replace(quoted(scratch), "").replace(started_at, "")
        manifest.nodes[result.node.unique_id].compiled_code = sql
    return manifest


def _checksums(manifest: Manifest) -> dict[str, str]:
    """Return the checksum of each model that was compiled, by name."""
    nodes = manifest.nodes
    common = duckdb.__version__ + manifest.macros[_RAW_VIEWS].macro_sql

    @cache
    def checksum(unique_id: str) -> str:
        if unique_id not in nodes:  # a source
            return unique_id
        node = nodes[unique_id]
        if node.resource_type == "seed":
            return node.checksum.checksum
        read = sorted(set(node.depends_on_nodes) - _KNOWN_BY_CONTENT)
        parts = [common, _meaning(node.compiled_code), *map(checksum, read)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    return {
        node.name: checksum(unique_id)
        for unique_id, node in nodes.items()
        if getattr(node, "compiled_code", None)
    }


def _meaning(code: str) -> str:
    """Write SQL as DuckDB parses it, without comments and layout; anything else as it is."""
    with duckdb.connect() as connection:
        tree = "select json_serialize_sql($1::varchar)"
        (tree,) = connection.execute(tree, [code]).fetchone()
    if json.loads(tree)["error"]:
        return code
    return re.sub(r'"query_location":\d+', "", tree)
