"""The project keeps its own conventions. Each failure says how to mend it."""

import json
import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from conftest import PROJECT
from dbt.cli.main import dbtRunner

from orchestration.privacy import archive_without

LAYERS = {
    # A model's folder, and the folders and sources that it may read.
    "models/staging": {"sources"},
    "models/core": {"models/staging", "models/core", "seeds", "sources"},
    "models/marts": {"models/core"},
}


@pytest.fixture(scope="module")
def parsed(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict, list[str]]:
    """The manifest of a full parse, and every warning that dbt gave on the way."""
    warnings = []

    def collect(event) -> None:
        if event.info.level in ("warn", "error"):
            warnings.append(f"{event.info.name}: {event.info.msg}")

    target = tmp_path_factory.mktemp("parsed")
    with pytest.MonkeyPatch.context() as patch:
        # dbt checks for deprecated keys only with adapters of its own company.
        patch.setattr("dbt.jsonschemas.jsonschemas._JSONSCHEMA_SUPPORTED_ADAPTERS", {"duckdb"})
        result = dbtRunner(callbacks=[collect]).invoke(
            ["--show-all-deprecations", "--no-partial-parse", "parse", "--profiles-dir", "profiles"]
            + ["--target-path", str(target)]
        )
    assert result.success
    return json.loads((target / "manifest.json").read_text()), warnings


@pytest.fixture(scope="module")
def models(parsed: tuple[dict, list[str]]) -> dict[str, dict]:
    nodes = parsed[0]["nodes"].values()
    return {node["unique_id"]: node for node in nodes if node["resource_type"] == "model"}


def test_dbt_has_nothing_to_complain_of(parsed: tuple[dict, list[str]]) -> None:
    assert parsed[1] == []


def test_each_model_has_a_yaml_of_its_own(models: dict[str, dict]) -> None:
    for model in models.values():
        expected = re.sub(r"\.(sql|py)$", ".yml", model["original_file_path"])
        patch_path = (model["patch_path"] or "no file").split("://")[-1]
        assert patch_path == expected, (
            f"{model['name']} is described in {patch_path}: make {expected}"
        )


def test_each_description_begins_with_the_grain(models: dict[str, dict]) -> None:
    for model in models.values():
        assert model["description"].startswith("One row per "), (
            f"{model['name']}: begin its description with 'One row per ...'"
        )


def test_public_models_keep_a_contract(models: dict[str, dict]) -> None:
    for model in models.values():
        in_marts = model["original_file_path"].startswith("models/marts")
        assert not in_marts or model["access"] == "public", f"{model['name']}: marts are public"
        if model["access"] != "public":
            continue
        assert model["config"]["contract"]["enforced"], f"{model['name']}: enforce its contract"
        for column in model["columns"].values():
            assert column["description"], f"{model['name']}.{column['name']}: describe it"
            assert column["data_type"], f"{model['name']}.{column['name']}: give its data_type"


def test_what_tables_share_is_described_once(parsed: tuple[dict, list[str]]) -> None:
    manifest = parsed[0]
    tables = [*manifest["nodes"].values(), *manifest["sources"].values()]
    columns = [column for table in tables for column in table.get("columns", {}).values()]
    used = Counter(block for column in columns for block in column["doc_blocks"])
    for block in manifest["docs"].values():
        assert block["package_name"] != "ai_usage" or used[block["unique_id"]] > 1, (
            f"{block['name']} in {block['original_file_path']}: write it where it is used"
        )
    written_out = Counter(
        (column["name"], column["description"])
        for column in columns
        if column["description"] and not column["doc_blocks"]
    )
    for (name, description), times in written_out.items():
        assert times == 1, f"{name} is {description!r} {times} times: see models/columns.md"


def test_what_was_not_told_stands_beside_every_sum(models: dict[str, dict]) -> None:
    # A request says it in words, a price is none, and each row of details is of what was told.
    without = {"fct_requests", "dim_prices", "token_usage_details"}
    for model in models.values():
        columns = set(model["columns"])
        if model["access"] != "public" or model["name"] in without:
            continue
        needed = {"unpriced_requests", "unpriced_tokens"} if "cost_usd" in columns else set()
        if any(name.endswith("_tokens") for name in columns):
            needed.add("requests_without_usage")
        assert needed <= columns, (
            f"{model['name']}: add {needed - columns}, see macros/not_told.sql"
        )


def test_forgetting_knows_what_makes_a_row_of_the_archive(
    parsed: tuple[dict, list[str]], models: dict[str, dict]
) -> None:
    """Else two people's rows would not become one, or a person would stay in them."""
    keys = {name: set(columns.split(", ")) for name, columns in archive_without.KEYS.items()}
    with_users = {
        model["unique_id"]: model["name"]
        for model in models.values()
        if "archive" in model["meta"] and "user_columns" in model["raw_code"]
    }
    assert set(with_users.values()) == set(keys)
    compared = set()
    for test in parsed[0]["nodes"].values():
        name = with_users.get(test.get("attached_node"))
        kwargs = (test.get("test_metadata") or {}).get("kwargs", {})
        if name and "one_row_per" in kwargs:
            words = {word for text in kwargs["one_row_per"] for word in re.findall("[a-z_]+", text)}
            # An hour tells its day.
            declared = words - {"coalesce"} | {"usage_date"}
            assert keys[name] == declared, f"{name}: see archive_without.py"
            compared.add(name)
    assert len(compared) > 3


def test_each_table_has_a_tested_key(
    parsed: tuple[dict, list[str]], models: dict[str, dict]
) -> None:
    keyed = {
        test["attached_node"]
        for test in parsed[0]["nodes"].values()
        if test["resource_type"] == "test"
        and (test.get("test_metadata") or {}).get("name") == "holds"
        and test["test_metadata"]["kwargs"].get("one_row_per")
    }
    # Deliveries have no key: the same span may be delivered twice.
    without = {"model.ai_usage.int_spans"}
    # What a public view publishes as it is, is tested there.
    keyed |= {
        read
        for unique_id, model in models.items()
        if unique_id in keyed
        and model["access"] == "public"
        and model["config"]["materialized"] == "view"
        for read in model["depends_on"]["nodes"]
    }
    for unique_id, model in models.items():
        is_table = model["config"]["materialized"] != "view" or model["access"] == "public"
        is_table = is_table and unique_id not in without
        assert not is_table or unique_id in keyed, (
            f"{model['name']}: test its grain with `holds: one_row_per` in {model['patch_path']}"
        )


def test_layers_read_only_what_lies_below(models: dict[str, dict]) -> None:
    def layer(unique_id: str) -> str:
        if unique_id.startswith("model."):
            return "/".join(models[unique_id]["original_file_path"].split("/")[:2])
        return "seeds" if unique_id.startswith("seed.") else "sources"

    for unique_id, model in models.items():
        for read in model["depends_on"]["nodes"]:
            assert layer(read) in LAYERS[layer(unique_id)], (
                f"{model['name']} in {layer(unique_id)} reads {read}, which is in {layer(read)}"
            )


def test_names_say_the_layer(models: dict[str, dict]) -> None:
    for model in models.values():
        path = Path(model["original_file_path"])
        if path.parts[1] == "staging":
            assert path.stem.startswith(f"stg_{path.parts[2]}__"), path
        if path.parts[1] == "core":
            assert path.stem.split("_")[0] in ("fct", "dim", "int"), path
        is_public = model["access"] == "public"
        assert is_public == (path.stem.split("_")[0] not in ("stg", "int")), (
            f"{path}: stg_ and int_ models are for use within, all others are public"
        )


def test_files_name_no_host_and_no_machine() -> None:
    for name in ("requirements.lock", "requirements-dev.lock"):
        lock = (PROJECT / name).read_text()
        assert "://" not in lock, f"write {name} with `make lock`, which leaves addresses out"
        assert lock.count("--hash=") > 100
    tracked = subprocess.run(["git", "ls-files"], capture_output=True, text=True, check=True)
    for name in tracked.stdout.splitlines():
        path = PROJECT / name
        if path.suffix in (".py", ".sql", ".yml", ".yaml", ".md", ".toml", ".lock"):
            assert str(PROJECT.parent) + "/" not in path.read_text(), f"{name} names this machine"


def test_what_runs_is_what_was_tested() -> None:
    def pinned(lock: str) -> set[str]:
        return set(re.findall(r"^[a-z].*==[^\\]*", (PROJECT / lock).read_text(), re.MULTILINE))

    untested = pinned("requirements.lock") - pinned("requirements-dev.lock")
    assert not untested, f"write both locks with `make lock`: they differ in {untested}"
