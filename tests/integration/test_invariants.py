"""Each invariant catches the fault that it is there for."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from conftest import PROJECT, Warehouse

from orchestration.warehouse.dbt import failures, run_dbt
from orchestration.warehouse.project import parsed, project

RECORDED = PROJECT / "examples" / "recorded"
ONE_REQUEST = "(select min(request_id) from core.int_requests where input_uncached_tokens > 1)"

# What goes wrong in the built tables, the test that must notice it, and what is said of a row.
FAULTS = {
    "a token type below zero": (
        "update core.int_requests set cache_read_tokens = -1, "
        f"input_uncached_tokens = input_uncached_tokens + 1 where request_id = {ONE_REQUEST}",
        "holds_fct_requests: cache_read_tokens is negative: request_id",
    ),
    "reasoning beyond the output": (
        "update core.int_requests set reasoning_tokens = output_tokens_without_reasoning + 9, "
        f"output_tokens_without_reasoning = -9 where request_id = {ONE_REQUEST}",
        "assert_token_types_sum_to_total",
    ),
    "a request counted twice": (
        f"insert into core.int_requests from core.int_requests where request_id = {ONE_REQUEST}",
        "holds_fct_requests: more than one row: request_id",
    ),
    "a request lost": (
        f"delete from core.int_requests where request_id = {ONE_REQUEST}",
        "assert_no_request_is_lost",
    ),
    "an event more than was received": (
        "update technical.data_quality set events_accepted = events_accepted + 1",
        "assert_every_event_is_accounted_for",
    ),
    "a cut with one token more": (
        "update usage.tokens_by_user_and_ai set total_tokens = total_tokens + 1 "
        "where user_id = (select min(user_id) from usage.tokens_by_user_and_ai)",
        "assert_every_cut_sums_to_the_same_total",
    ),
    "a cut with a cent's fraction more": (
        "update cost.time_of_use set cost_usd = cost_usd + 0.000000000001 "
        "where hour_of_day = (select min(hour_of_day) from cost.time_of_use)",
        "assert_every_cut_sums_to_the_same_total",
    ),
    "a request of no prompt, with a status of its own": (
        f"update core.int_requests set prompt_id = null, status = 'perhaps' "
        f"where request_id = {ONE_REQUEST}",
        "holds_fct_requests: prompt_id is null, status is none of success, failure: request_id",
    ),
    "a cost below zero": (
        "update cost.cost_by_day_and_user set cost_usd = -0.5 where cost_usd > 0",
        "holds_cost_by_day_and_user: cost_usd is negative: usage_date",
    ),
    "a day twice in a report": (
        "insert into usage.usage_by_user from usage.usage_by_user limit 1",
        "holds_usage_by_user: more than one row: usage_date",
    ),
    "two prices at once": (
        "insert into core.dim_prices select * replace (price_id || ' again' as price_id) "
        "from core.dim_prices limit 1",
        "assert_exactly_one_price_applies",
    ),
    "two overrides at once": (
        "insert into seeds.price_overrides (provider, model, input_usd_per_million_tokens) "
        "values ('a', 'm', 1), ('a', 'm', 2)",
        "assert_price_overrides_do_not_overlap",
    ),
    "an override below zero": (
        "insert into seeds.price_overrides (provider, model, input_usd_per_million_tokens) "
        "values ('a', 'm', -1)",
        "assert_price_overrides_are_possible",
    ),
}


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory, dbt_target: Path) -> Iterator[Warehouse]:
    """A warehouse in which all holds."""
    with pytest.MonkeyPatch.context() as patch:
        home = tmp_path_factory.mktemp("invariants")
        patch.setenv("AI_USAGE_HOME", str(home))
        warehouse = Warehouse(home, dbt_target)
        warehouse.land(RECORDED / "litellm/standard_logging_payload.jsonl.gz", source="litellm")
        warehouse.land(RECORDED / "otel/genai_spans_v1_30.otlp.jsonl.gz", source="otel")
        warehouse.ingest()
        warehouse.build()
        shutil.copy(home / "warehouse.duckdb", home / "sound.duckdb")
        yield warehouse


@pytest.mark.parametrize(("fault", "noticed"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_noticed(sound: Warehouse, fault: str, noticed: str) -> None:
    shutil.copy(sound.home / "sound.duckdb", sound.home / "warehouse.duckdb")
    with duckdb.connect(str(sound.home / "warehouse.duckdb")) as connection:
        assert connection.execute(fault).fetchone() > (0,), "the fault changed nothing"
    test, _, of_a_row = noticed.partition(": ")
    manifest = parsed(project())
    results = run_dbt("test", "--select", f"{test}*", target=sound.target, manifest=manifest)
    said = failures(results, sound.settings)
    assert test in said and of_a_row in said, said
