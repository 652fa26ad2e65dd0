"""dbt's project as it was parsed last, and as Dagster sees it."""

import json
import shutil
import tempfile
from collections.abc import Mapping
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from dagster import AssetCheckSpec, AssetSpec
from dagster_dbt import DagsterDbtTranslator, DbtProject
from dbt.contracts.graph.manifest import Manifest

from orchestration.settings import PROJECT, UserError
from orchestration.warehouse.dbt import PROFILES, run_dbt

# The manifest as dbt reads it, from which it parses no more than what has changed.
_PARSED = "partial_parse.msgpack"
# Under which dagster-dbt notes what of dbt's an asset or a check is.
UNIQUE_ID = "dagster_dbt/unique_id"


class Translator(DagsterDbtTranslator):
    """Models are grouped in Dagster by the schema that they are published in."""

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        """Name the group after the schema."""
        return dbt_resource_props["config"].get("schema") or "core"

    def get_asset_check_spec(
        self,
        asset_spec: AssetSpec,
        manifest: Mapping[str, Any],
        unique_id: str,
        project: DbtProject | None,
    ) -> AssetCheckSpec | None:
        """Have each test be a check of one asset: of several models that it reads, of the first."""
        test = manifest["nodes"][unique_id]
        asset = test.get("attached_node") or test["depends_on"]["nodes"][0]
        if asset != asset_spec.metadata[UNIQUE_ID]:
            return None
        metadata = {UNIQUE_ID: unique_id}
        return AssetCheckSpec(test["name"], asset=asset_spec.key, metadata=metadata, blocking=True)


def project() -> DbtProject:
    """Return the project, with a manifest that is newer than every file it is made from.

    Raises:
        UserError: dbt cannot parse the project; says what dbt says.
    """
    target = PROJECT / "target"
    if _is_out_of_date(target):
        target.mkdir(exist_ok=True)
        # Made beside it: half a manifest would pass for a new one, and another may be at it, too.
        with tempfile.TemporaryDirectory(dir=target) as parsing:
            if (target / _PARSED).exists():
                shutil.copy(target / _PARSED, parsing)
            try:
                run_dbt("parse", "--quiet", target=Path(parsing))
            except UserError as error:
                raise UserError(f"dbt cannot parse the project: {error}") from error
            for name in (_PARSED, "manifest.json"):
                Path(parsing, name).replace(target / name)
    return DbtProject(project_dir=PROJECT, profiles_dir=PROFILES)


def parsed(dbt_project: DbtProject) -> Manifest:
    """Return the project as dbt has parsed it, for one run: dbt writes in it.

    It is the same for every home and all settings, which models see only when they are compiled.
    """
    manifest = Manifest.from_msgpack(dbt_project.manifest_path.with_name(_PARSED).read_bytes())
    manifest.build_flat_graph()  # what macros know as `graph`
    return manifest


def public_models(dbt_project: DbtProject) -> list[dict]:
    """Return the manifest's nodes of the models that are published: those with `access: public`."""
    return [node for node in _nodes(dbt_project) if node.get("access") == "public"]


def archived_models(dbt_project: DbtProject) -> list[dict]:
    """Return the nodes of the models that are archived: those with `meta: archive`."""
    return [node for node in _nodes(dbt_project) if "archive" in node["config"].get("meta", {})]


def nodes_to_build(dbt_project: DbtProject) -> int:
    """Count the models, seeds and data tests of a build."""
    return len(_nodes(dbt_project))


def _nodes(dbt_project: DbtProject) -> list[dict]:
    path = dbt_project.manifest_path
    return [
        node
        for node in _manifest(path, path.stat().st_mtime_ns)["nodes"].values()
        if node["resource_type"] in ("model", "seed", "test")
    ]


@lru_cache(maxsize=1)
def _manifest(path: Path, modified_at_ns: int) -> dict:
    """Return the file as it was at that time: to read it takes a quarter of a second."""
    return json.loads(path.read_text())


def _is_out_of_date(target: Path) -> bool:
    """Tell whether a file is newer than the manifest, or dbt another than made it."""
    manifest = target / "manifest.json"
    if not manifest.exists() or not (target / _PARSED).exists():
        return True
    status = manifest.stat()
    made_by = _manifest(manifest, status.st_mtime_ns)["metadata"]["dbt_version"]
    return made_by != version("dbt-core") or status.st_mtime < _newest_file()


def _newest_file() -> float:
    folders = ("models", "macros", "seeds", "tests/generic", "tests/singular", "profiles")
    # The folders too: their time tells when a file in them was renamed or deleted.
    paths = [p for name in folders for p in (PROJECT / name, *(PROJECT / name).rglob("*"))]
    return max(path.stat().st_mtime for path in [*paths, PROJECT / "dbt_project.yml"])
