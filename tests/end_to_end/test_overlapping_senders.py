"""Requests that several senders tell of count once: none lost, none doubled, over 200 seeds.

What each seed did is known before anything lands, see overlapping_senders.py. Two readers must find
it: the warehouse, and the recomputation, which shares no code with it; and what the reports make of
it must be the same in both, after each night, and in whatever loads it came. A seed that fails is
named, and can be had by itself:

    SEEDS=17 .venv/bin/python -m pytest tests/end_to_end/test_overlapping_senders.py
"""

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from comparison import assert_recomputed, published_tables
from conftest import Warehouse
from overlapping_senders import NIGHTS, Story, Truth, land
from recomputation import Row, recompute

SEEDS = [int(seed) for seed in os.environ.get("SEEDS", "").split(",") if seed] or range(200)
EPOCH, MILLISECOND = datetime(1970, 1, 1), timedelta(milliseconds=1)
TYPES = ("input_uncached_tokens", "cache_read_tokens", "cache_write_tokens")
TYPES += ("output_tokens_without_reasoning", "reasoning_tokens")


@pytest.fixture(scope="module")
def stories() -> list[Story]:
    return [Story(seed) for seed in SEEDS]


def wrong(truths: Iterable[Truth], requests: Iterable[Row]) -> Iterator[str]:
    """Whatever is not as it was: requests that are lost, doubled or told otherwise."""
    expected = {truth.request_id: truth for truth in truths}
    found = {row["request_id"]: row for row in requests}
    for name in expected.keys() - found.keys():
        yield f"seed {expected[name].seed}: lost {expected[name]}"
    for name in found.keys() - expected.keys():
        yield f"doubled, or made up: {found[name]}"
    for name in expected.keys() & found.keys():
        truth, row = expected[name], found[name]
        tokens = tuple(row[column] for column in TYPES)
        as_found: dict[str, Any] = {
            **row,
            "tokens": None if set(tokens) == {None} else tokens,
            "requested_at": (row["requested_at"] - EPOCH) // MILLISECOND,
        }
        for column, value in vars(truth).items():
            if column != "seed" and not same(value, as_found[column]):
                yield f"seed {truth.seed}: {name}: {column} is {as_found[column]}, not {value}"


def same(value: Any, other: Any) -> bool:
    if isinstance(value, Decimal) and isinstance(other, Decimal):
        return abs(value - other) < Decimal("1e-9")
    return value == other


def assert_true(stories: list[Story], requests: list[Row]) -> None:
    assert len({row["request_id"] for row in requests}) == len(requests)
    errors = list(wrong([truth for story in stories for truth in story.truth], requests))
    assert not errors, "\n".join([f"{len(errors)} are wrong:", *sorted(errors)[:20]])


def assert_counted(stories: list[Story], quality: list[Row]) -> None:
    """What is no request is counted by name; so are tokens that only parents tell, and cuts."""
    expected = sum((story.counts for story in stories), Counter())
    found: Counter[str] = Counter()
    for row in quality:
        for name in ("tokens_only_in_parents", "parts_cut"):
            found[name] += row[name]
        for part in filter(None, (row["operations_left_out"] or "").split(", ")):
            name, _, number = part.rpartition(": ")
            found[name] += int(number)
    assert +found == +expected
    truths = [truth for story in stories for truth in story.truth]
    for name, number in {
        "requests": len(truths),
        "conflicting_deliveries": sum(truth.conflicting_deliveries for truth in truths),
        "requests_without_usage": sum(t.price_status == "no usage reported" for t in truths),
    }.items():
        assert sum(row[name] for row in quality) == number, name


def test_each_seed_is_recomputed_alone(stories: list[Story], tmp_path: Path) -> None:
    for story in stories:
        landing = tmp_path / str(story.seed)
        land(landing, [story], *NIGHTS)
        tables = recompute(landing).tables
        assert_true([story], tables["core.fct_requests"])
        assert_counted([story], tables["technical.data_quality"])


def test_all_are_recomputed_side_by_side(stories: list[Story], tmp_path: Path) -> None:
    land(tmp_path, stories, *NIGHTS)
    tables = recompute(tmp_path).tables
    assert_true(stories, tables["core.fct_requests"])
    assert_counted(stories, tables["technical.data_quality"])


def test_a_seed_is_the_same_every_time() -> None:
    one, other = Story(3), Story(3)
    assert (one.deliveries, one.truth, one.counts) == (other.deliveries, other.truth, other.counts)


@pytest.mark.slow
def test_all_are_published_in_nights_and_at_once(
    warehouse: Warehouse, stories: list[Story], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for nights in ((1,), (2, 3)):  # the second night was missed
        land(warehouse.landing, stories, *nights)
        warehouse.rebuild()
        assert_recomputed(warehouse, recompute(warehouse.landing))
    in_nights = published_tables(warehouse)
    assert_true(stories, in_nights["core.fct_requests"])
    assert_counted(stories, in_nights["technical.data_quality"])

    monkeypatch.setenv("AI_USAGE_HOME", str(tmp_path / "at once"))
    at_once = Warehouse(tmp_path / "at once", warehouse.target)
    land(at_once.landing, stories, *NIGHTS)
    at_once.rebuild()
    for name, rows in published_tables(at_once).items():
        assert sorted(map(repr, rows)) == sorted(map(repr, in_nights[name])), name
