"""No test is left out unseen: what is declared, in files of any kind, is what `make` runs."""

import ast
import json
import os
import shlex
import subprocess
import sys
from collections import Counter

import pytest
from conftest import PROJECT, declared_data_tests
from test_models import declared_unit_tests

from orchestration.warehouse.project import project

PYTEST = ".venv/bin/python -m pytest "


@pytest.fixture(scope="module")
def manifest() -> dict:
    return json.loads(project().manifest_path.read_text())


@pytest.fixture(scope="module")
def collected() -> dict[str, list[str]]:
    """The tests that each command of make runs, as file::function[parameters]."""
    return {command: collected_by(command) for command in ("test", "faults")}


def collected_by(command: str) -> list[str]:
    """Ask make how it calls pytest, and pytest what it collects then."""
    said = subprocess.run(
        ["make", "--dry-run", command], cwd=PROJECT, capture_output=True, text=True
    )
    [line] = [line for line in said.stdout.splitlines() if line.startswith(PYTEST)]
    arguments = shlex.split(line.removeprefix(PYTEST))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments, "--collect-only"],
        cwd=PROJECT,
        # What somebody adds to each call of pytest may change what it prints.
        env={name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return [line for line in done.stdout.splitlines() if "::" in line]


def written() -> list[str]:
    """Every function under tests/ that is called a test, as file::function."""
    return [
        f"{path.relative_to(PROJECT)}::{node.name}"
        for path in sorted((PROJECT / "tests").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test")
    ]


def test_pytest(collected: dict[str, list[str]]) -> None:
    twice = [name for name, times in Counter(written()).items() if times > 1]
    assert twice == [], "the last of that name hides the others"
    names = {name.partition("[")[0] for names in collected.values() for name in names}
    assert names == set(written())


def test_dbt_unit(manifest: dict, collected: dict[str, list[str]]) -> None:
    """dbt knows those that are declared, and each is a test of test_models, which runs it."""
    declared = [test.values for test in declared_unit_tests()]
    assert len(declared) > 50
    assert sorted(manifest["unit_tests"]) == sorted(
        f"unit_test.ai_usage.{model}.{name}" for model, name in declared
    )
    ids = [f"tests/unit/test_models.py::test_unit[{model}-{name}]" for model, name in declared]
    assert sorted(ids) == sorted(name for name in collected["test"] if "::test_unit[" in name)


def test_dbt_data(manifest: dict) -> None:
    """dbt knows those that are declared. That a night runs as many, test_nightly_job tells."""
    known = [node for node in manifest["nodes"].values() if node["resource_type"] == "test"]
    assert len(known) == declared_data_tests()
    assert all(node["config"]["enabled"] for node in known)
    assert {node["config"]["severity"].lower() for node in known} == {"error"}
