"""Seeds that cannot be meant stop a night: what it says names the row, and what to do."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from conftest import NO_DATA_TESTS, Warehouse, parsed, project

from orchestration.warehouse.dbt import failures, run_dbt

EVENT = (
    '{"request_id": "1", "requested_at": "2026-11-20T12:00:00Z", "provider": "openai", '
    '"model": "gpt-4o", "user_id": "ada", "input_tokens": 9}'
)
FACTOR = "price_factors (provider, model_pattern, meter_pattern, {}) values ('openai', {})"
BAD = {
    "two factors at once": (
        FACTOR.format(
            "service_tier, factor", "'*', '*', 'slow', 0.5), ('openai', '*', '*', 'slow', 0.4"
        ),
        "assert_price_factors_do_not_overlap",
        ["openai * * slow at 0.4", "0.5", "end one before the other begins"],
    ),
    "patterns of one length that fit one model": (
        FACTOR.format(
            "service_tier, factor",
            "'gpt-*', '*', 'slow', 0.5), ('openai', '*-4o*', '*', 'slow', 0.4",
        ),
        "assert_price_factors_do_not_overlap",
        ["gpt-*", "*-4o*", "make a pattern longer"],
    ),
    "a region within another": (
        FACTOR.format(
            "region, factor", "'gpt-*', '*', '?*', 1.1), ('openai', 'gpt-*', '*', 'mars', 1.2"
        ),
        "assert_price_factors_do_not_overlap",
        ["gpt-* * ?* at 1.1", "1.2", "end one before the other begins"],
    ),
    "a factor of nothing": (
        FACTOR.format("factor", "'*', '*', 0.5"),
        "assert_price_factors_are_possible",
        ["openai * * at 0.5", "fill one of service_tier and region"],
    ),
    "a factor of both": (
        FACTOR.format("service_tier, region, factor", "'*', '*', 'slow', 'mars', 0.5"),
        "assert_price_factors_are_possible",
        ["slow mars at 0.5", "fill one of service_tier and region"],
    ),
    "a factor below zero": (
        FACTOR.format("service_tier, factor", "'*', '*', 'slow', -0.5"),
        "assert_price_factors_are_possible",
        ["slow at -0.5", "is below zero"],
    ),
    "a factor that ends before it begins": (
        FACTOR.format(
            "service_tier, factor, valid_from, valid_to",
            "'*', '*', 'slow', 0.5, '2026-02-01', '2026-01-01'",
        ),
        "assert_price_factors_are_possible",
        ["slow at 0.5", "let valid_to lie after valid_from"],
    ),
    "a factor of no meter": (
        FACTOR.format("service_tier, factor", "'*', 'outputs', 'slow', 0.5"),
        "assert_price_factors_are_possible",
        ["outputs slow at 0.5", "fits no meter"],
    ),
    "a factor in capitals": (
        FACTOR.format("service_tier, factor", "'*', '*', 'Slow', 0.5"),
        "assert_price_factors_are_possible",
        ["Slow at 0.5", "in lower case"],
    ),
    "two overrides at once": (
        "price_overrides (provider, model, valid_to, valid_from) "
        "values ('openai', 'o3', '2026-03-01', null), ('openai', 'o3', null, '2026-02-01')",
        "assert_price_overrides_do_not_overlap",
        ["openai o3 from 2026-02-01 begins before another", "valid_to on 2026-02-01"],
    ),
    "an override in capitals": (
        "price_overrides (provider, model, service_tier) values ('openai', 'o3', 'Flex')",
        "assert_price_overrides_are_possible",
        ["openai o3 Flex", "in lower case"],
    ),
    "an override below zero": (
        "price_overrides (provider, model, web_search_usd) values ('openai', 'o3', -1)",
        "assert_price_overrides_are_possible",
        ["openai o3 from", "below zero"],
    ),
    "two teams at once": (
        "teams values ('ada', 'red', null, '2026-03-01'), ('ada', 'blue', '2026-02-01', null)",
        "assert_teams_are_possible",
        ["ada in blue", "overlaps the row of red", "end that one with valid_to on 2026-02-01"],
    ),
    "a team on no day": (
        "teams values ('ada', 'red', '2026-03-01', '2026-03-01')",
        "assert_teams_are_possible",
        ["let it lie after valid_from"],
    ),
    "nobody's team": (
        "teams values (null, 'red', null, null)",
        "assert_teams_are_possible",
        ["write whose team it is in user_id"],
    ),
}


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory, dbt_target: Path) -> Iterator[Warehouse]:
    """A warehouse of one request, with the seeds as they are."""
    with pytest.MonkeyPatch.context() as patch:
        home = tmp_path_factory.mktemp("bad_seeds")
        patch.setenv("AI_USAGE_HOME", str(home))
        warehouse = Warehouse(home, dbt_target)
        warehouse.write("gateway/1.jsonl", EVENT)
        warehouse.ingest()
        warehouse.build("--select", "+fct_requests", *NO_DATA_TESTS)
        yield warehouse


@pytest.mark.parametrize(("row", "test", "said"), BAD.values(), ids=BAD)
def test_it_is_named_with_what_to_do(
    sound: Warehouse, row: str, test: str, said: list[str]
) -> None:
    table = row.split()[0]
    with duckdb.connect(str(sound.home / "warehouse.duckdb")) as connection:
        connection.execute(f"create or replace temp table before as from seeds.{table}")
        connection.execute(f"insert into seeds.{table} {row.removeprefix(table)}")
        before = connection.execute("from before").fetchall()
    results = run_dbt(*("test", "--select", test), target=sound.target, manifest=parsed(project()))
    text = failures(results, sound.settings)
    with duckdb.connect(str(sound.home / "warehouse.duckdb")) as connection:
        connection.execute(f"delete from seeds.{table}")
        marks = ", ".join("?" * len(before[0])) if before else ""
        if before:
            connection.executemany(f"insert into seeds.{table} values ({marks})", before)
    assert f"tests/singular/{test}.sql" in text
    for part in said:
        assert part in text, text


def test_the_seeds_as_they_are_are_possible(sound: Warehouse) -> None:
    arguments = ("test", "--select", *{test for _, test, _ in BAD.values()})
    results = run_dbt(*arguments, target=sound.target, manifest=parsed(project()))
    assert failures(results, sound.settings) == ""
