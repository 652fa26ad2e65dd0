"""dbt's unit tests, each a test here. Those of models that nobody has changed are slow.

dbt runs them all at once, against tables without a row: it reads from these what columns there are.
"""

import json
import subprocess
from pathlib import Path

import pytest
import yaml
from conftest import NO_DATA_TESTS, PROJECT, Warehouse

# What any model may be made of.
OF_ALL_MODELS = ("macros/", "profiles/", "dbt_project.yml")


def changed_files() -> list[str]:
    """What differs from the branch `main`, or on it from the last commit; all if nobody knows."""

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=PROJECT, capture_output=True, text=True)
        return done.stdout if done.returncode == 0 else ""

    base = git("merge-base", "HEAD", "main").strip() or "HEAD"
    if not git("rev-parse", base):
        return list(OF_ALL_MODELS)
    untracked = git("ls-files", "--others", "--exclude-standard")
    return [*git("diff", "--name-only", base).splitlines(), *untracked.splitlines()]


def declared_unit_tests() -> list:
    """(model, unit test) as the YAML files beside the models have them."""
    changed, found = changed_files(), []
    for path in sorted((PROJECT / "models").rglob("*.yml")):
        stem = path.relative_to(PROJECT).with_suffix("")
        is_changed = any(name.startswith((f"{stem}.", *OF_ALL_MODELS)) for name in changed)
        for test in yaml.safe_load(path.read_text()).get("unit_tests", []):
            marks = () if is_changed else pytest.mark.slow
            found.append(pytest.param(test["model"], test["name"], marks=marks))
    return found


@pytest.fixture(scope="module")
def results(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, tuple[str, str]]:
    """The status of each unit test of the models asked for, and what dbt said of it."""
    tests = [item for item in request.session.items if item.path == request.path]
    models = sorted({item.callspec.params["model"] for item in tests})
    with pytest.MonkeyPatch.context() as patch:
        home = tmp_path_factory.mktemp("models")
        patch.setenv("AI_USAGE_HOME", str(home))
        warehouse = Warehouse(home, home / "target")
        above = [f"+{model}" for model in models]
        warehouse.build("--select", *above, *NO_DATA_TESTS)
        warehouse.leaves_traces = True
        of_models = [f"{model},test_type:unit" for model in models]
        printed = warehouse.dbt("test", "--select", *of_models, check=False)
    found = json.loads(Path(home, "target/run_results.json").read_text())["results"]
    assert found, printed
    return {test["unique_id"]: (test["status"], test["message"]) for test in found}


@pytest.mark.parametrize(("model", "name"), declared_unit_tests())
def test_unit(results: dict[str, tuple[str, str]], model: str, name: str) -> None:
    status, said = results[f"unit_test.ai_usage.{model}.{name}"]
    assert status == "pass", said
