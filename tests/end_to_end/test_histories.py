"""Random histories of a home: after each night it publishes what the oracle expects.

One that fails is printed with its steps, and with the fewest of them that still fail. To see it
again: HISTORY='7 deliver:0 night:0' .venv/bin/python -m pytest tests/end_to_end/test_histories.py
"""

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from histories.history import KINDS, History, disk, random_history
from tally import Tally, tally
from test_nightly_job import copy_of_project

# Every kind of step, in as few nights as that takes: the seed of what lands, and the steps.
SHORT = [
    "1 deliver:4 night:0 hold:0 deliver:5 correct:0 tear:0 pause:0 zone:0 kill:0 deliver_late:0 "
    "deliver:9 gateways:0 two_at_once:0 roll_back:0 deliver_twice:0 hiding:0 fill_disk:0 "
    "retention:5 rebuild:0 forget:2 deliver:4 clock:7",
]
MINUTES, SHRINKING_S, STEPS = float(os.environ.get("MINUTES", "10")), 600, 9


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return copy_of_project(tmp_path / "project", is_parsed=True)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    with disk(tmp_path / "disk"):
        yield tmp_path


def play(project: Path, folder: Path, seed: int, steps: list[str], tally: Tally) -> Counter:
    """Play a history; if it fails, say so with the fewest steps that do."""

    def fails(fewer: list[str]) -> bool:
        try:
            History(project, folder, seed, Tally("while it shrinks")).play(fewer)
        except Exception:
            return True
        return False

    history = History(project, folder, seed, tally)
    try:
        history.play(steps)
    except Exception as error:
        reached = steps[: sum(history.done.values()) - history.done["nights"]]
        again = f"HISTORY='{seed} {' '.join(shrunk(reached, fails))}'"
        raise AssertionError(f"{again} fails. Of {seed} {' '.join(steps)}: {error}") from error
    return history.done


def shrunk(steps: list[str], fails: Callable[[list[str]], bool]) -> list[str]:
    """Leave out steps, one after the other, as long as what is left still fails."""
    until = time.monotonic() + SHRINKING_S
    for place in reversed(range(len(steps) - 1)):
        fewer = steps[:place] + steps[place + 1 :]
        if time.monotonic() < until and fails(fewer):
            steps = fewer
    return steps


@pytest.mark.slow
@pytest.mark.parametrize("history", [os.environ["HISTORY"]] if "HISTORY" in os.environ else SHORT)
def test_short_history(project: Path, folder: Path, history: str) -> None:
    seed, *steps = history.split()
    History(project, folder, int(seed), Tally(history)).play(steps)


def test_every_kind_of_step_is_in_a_short_history() -> None:
    steps = {step.partition(":")[0] for history in SHORT for step in history.split()[1:]}
    assert steps == KINDS.keys()


def test_what_fails_is_shrunk() -> None:
    assert shrunk([*"abcde"], lambda steps: {*"be"} <= {*steps}) == ["b", "e"]


@pytest.mark.faults
@pytest.mark.parametrize("half", [0, 1])
def test_random_histories(project: Path, folder: Path, half: int, tally: Tally) -> None:
    """As many as MINUTES allow, on each of two cores."""
    done, histories = Counter[str](), 0
    first = int(os.environ.get("SEED", time.time()))
    until = time.monotonic() + 60 * MINUTES
    while time.monotonic() < until:
        seed = first + 2 * histories + half
        done += play(project, folder, seed, random_history(seed, STEPS), tally)
        histories += 1
    kinds = ", ".join(f"{kind} {number}" for kind, number in done.items() if kind != "nights")
    tally.remark = f"{histories} histories, {done['nights']} nights, SEED={first}: {kinds}"
