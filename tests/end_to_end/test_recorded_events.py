"""The recorded events of a real gateway give the totals that the gateway counted."""

from decimal import Decimal
from pathlib import Path

import pytest
from conftest import Warehouse

pytestmark = pytest.mark.slow

RECORDED = Path("examples/recorded")
GATEWAY = {"AI_USAGE_GATEWAY_ADDRESSES": "127.0.0.1:28400"}

TOTALS = """
    select
        count(*), count(*) filter (status = 'success'), count(*) filter (status = 'failure'),
        count(*) filter (is_cache_hit), sum(input_tokens), sum(cache_read_tokens),
        sum(output_tokens), sum(reasoning_tokens), count(distinct user_id), sum(reported_cost_usd)
    from core.fct_requests
"""
# Three users with a key of their own, and ten whom requests with the shared key svc-batch name.
LITELLM = (500, 433, 67, 20, 106579, 37888, 63924, 5081, 13, Decimal("0.4761846800"))


def land(warehouse: Warehouse, *names: str) -> None:
    for name in names:
        warehouse.land(RECORDED / name, source=name.split("/")[0])


def test_standard_logging_payloads(warehouse: Warehouse) -> None:
    land(warehouse, "litellm/standard_logging_payload.jsonl.gz")
    warehouse.rebuild()
    assert warehouse.published(TOTALS) == [LITELLM]
    # LiteLLM prices its traffic as genai-prices does.
    assert warehouse.published("select sum(cost_usd) from core.fct_requests") == [LITELLM[-1:]]
    unpriced = "select distinct model from core.fct_requests where price_id is null order by 1"
    assert warehouse.published(unpriced) == [("acme-internal-70b",), ("no-such-model",)]
    # Of the 47 of the former 8 failed or came from the gateway's cache, and all 16 of the latter
    # failed without tokens: those are free.
    unpriced = "select sum(unpriced_requests) from technical.data_quality"
    assert warehouse.published(unpriced) == [(47 - 8,)]


def test_spend_logs_alone_and_beside_the_payloads(warehouse: Warehouse) -> None:
    land(warehouse, "litellm/spend_logs.jsonl.gz")
    warehouse.rebuild()
    assert warehouse.published(TOTALS) == [LITELLM]
    land(warehouse, "litellm/standard_logging_payload.jsonl.gz")
    warehouse.rebuild()
    assert warehouse.published(TOTALS) == [LITELLM]
    assert warehouse.published("select sum(duplicates) from technical.data_quality") == [(500,)]


def test_the_clients_view_changes_no_total(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    land(
        warehouse,
        "litellm/standard_logging_payload.jsonl.gz",
        "otel/genai_spans_v1_30.otlp.jsonl.gz",
    )
    # Without knowing the gateway's address, what shares an id is still counted once.
    warehouse.rebuild()
    by_source = "select source, count(*) from core.fct_requests group by all order by all"
    assert warehouse.published(by_source) == [("litellm", 500), ("otel", 500 - 390)]
    # A changed setting rebuilds the days that it changes.
    monkeypatch.setenv("AI_USAGE_GATEWAY_ADDRESSES", "127.0.0.1:28400")
    warehouse.rebuild()
    assert warehouse.published(TOTALS) == [LITELLM]


@pytest.mark.parametrize(
    ("name", "requests", "failures", "input_tokens", "output_tokens"),
    [
        ("genai_spans_v1_30", 500, 67, 97539, 57446),
        ("genai_spans_latest_experimental", 80, 11, 5577, 7474),
        ("genai_spans_openllmetry", 80, 25, 9552, 6957),
    ],
)
def test_otel_dialects(
    warehouse: Warehouse,
    name: str,
    requests: int,
    failures: int,
    input_tokens: int,
    output_tokens: int,
) -> None:
    land(warehouse, f"otel/{name}.otlp.jsonl.gz")
    warehouse.rebuild()
    totals = """
        select
            count(*), count(*) filter (status = 'failure'), sum(input_tokens), sum(output_tokens),
            count(*) filter (user_id is null)
        from core.fct_requests
    """
    assert warehouse.published(totals) == [(requests, failures, input_tokens, output_tokens, 0)]
