"""dbt's project as Dagster sees it, and what a failed build says."""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
from dagster import AssetCheckResult, MetadataValue
from dagster_dbt import DagsterDbtTranslator, DbtCliResource, DbtProject

from orchestration.settings import PROJECT, Settings, UserError

DBT = str(Path(sys.executable).with_name("dbt"))
PROFILES = PROJECT / "profiles"
# From which dbt parses no more than what has changed.
_PARSED = "partial_parse.msgpack"


class Translator(DagsterDbtTranslator):
    """Models are grouped in Dagster by the schema that they are published in."""

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        """Name the group after the schema."""
        return dbt_resource_props["config"].get("schema") or "core"


def project() -> DbtProject:
    """Return the project, with a manifest that is newer than every file it is made from.

    Raises:
        UserError: dbt cannot parse the project; says what dbt says.
    """
    target = PROJECT / "target"
    manifest = target / "manifest.json"
    if not manifest.exists() or manifest.stat().st_mtime < _newest_file():
        target.mkdir(exist_ok=True)
        # Made beside it: half a manifest would pass for a new one, and another may be at it, too.
        with tempfile.TemporaryDirectory(dir=target) as parsing:
            if (target / _PARSED).exists():
                shutil.copy(target / _PARSED, parsing)
            parsed = subprocess.run(
                [DBT, "--quiet", "parse", "--profiles-dir", PROFILES, "--target-path", parsing],
                cwd=PROJECT,
                capture_output=True,
                text=True,
            )
            if parsed.returncode:
                raise UserError(f"dbt cannot parse the project:\n{parsed.stdout}{parsed.stderr}")
            for name in (_PARSED, manifest.name):
                Path(parsing, name).replace(target / name)
    return DbtProject(project_dir=PROJECT, profiles_dir=PROFILES)


def dbt_resource(dbt_project: DbtProject) -> DbtCliResource:
    """Return the dbt beside this Python, whatever is on the PATH."""
    return DbtCliResource(project_dir=dbt_project, profiles_dir=str(PROFILES), dbt_executable=DBT)


def public_models(dbt_project: DbtProject) -> list[dict]:
    """Return the manifest's nodes of the models that are published: those with `access: public`."""
    return [node for node in _nodes(dbt_project) if node.get("access") == "public"]


def archived_models(dbt_project: DbtProject) -> list[dict]:
    """Return the nodes of the models that are archived: those with `meta: archive`."""
    return [node for node in _nodes(dbt_project) if "archive" in node["config"].get("meta", {})]


def nodes_to_build(dbt_project: DbtProject) -> int:
    """Count the models, seeds and data tests of a build."""
    return len(_nodes(dbt_project))


def failures(target: Path) -> str:
    """Return what stopped the last build: a line for each node that failed, with its file."""
    try:
        results = json.loads((target / "run_results.json").read_text())["results"]
    except (FileNotFoundError, ValueError):
        return f"  dbt itself stopped before its end; its last words are in {target / 'dbt.log'}"
    manifest = json.loads((target / "manifest.json").read_text())
    lines = []
    for result in results:
        if result["status"] in ("error", "fail", "runtime error"):
            node = manifest["nodes"].get(result["unique_id"]) or {}
            message = (result["message"] or "").strip().replace("\n", "\n      ")
            lines.append(f"  {node.get('original_file_path')}: {node.get('name')}\n      {message}")
    return "\n".join(lines)


def with_sample_rows(settings: Settings, target: Path, check: AssetCheckResult) -> AssetCheckResult:
    """Add the first rows that failed a test to what Dagster shows of it."""
    unique_id = check.metadata["unique_id"].value
    for result in json.loads((target / "run_results.json").read_text())["results"]:
        if result["unique_id"] == unique_id and result["status"] == "fail":
            with duckdb.connect(str(settings.warehouse), read_only=True) as connection:
                rows = connection.sql(result["compiled_code"]).limit(5)
                sample = [
                    dict(zip(rows.columns, map(str, row), strict=True)) for row in rows.fetchall()
                ]
            sample = {"sample rows": MetadataValue.json(sample)}
            return check._replace(metadata={**check.metadata, **sample})
    return check


def _nodes(dbt_project: DbtProject) -> list[dict]:
    return [
        node
        for node in json.loads(dbt_project.manifest_path.read_text())["nodes"].values()
        if node["resource_type"] in ("model", "seed", "test")
    ]


def _newest_file() -> float:
    folders = ("models", "macros", "seeds", "tests/generic", "tests/singular", "profiles")
    # The folders too: their time tells when a file in them was renamed or deleted.
    paths = [p for name in folders for p in (PROJECT / name, *(PROJECT / name).rglob("*"))]
    return max(path.stat().st_mtime for path in [*paths, PROJECT / "dbt_project.yml"])
