"""A new price, or a new name of an AI, changes past days without reading raw events again."""

from decimal import Decimal

import duckdb
from conftest import PROJECT, Warehouse

RECORDED = PROJECT / "examples" / "recorded"


def test_an_override_reprices_the_past(warehouse: Warehouse) -> None:
    warehouse.land(RECORDED / "litellm/standard_logging_payload.jsonl.gz", source="litellm")
    warehouse.ingest()
    warehouse.build()
    versions = "select distinct events_version, built_at from core.int_requests"
    built = warehouse.query(versions)
    totals = "select sum(cost_usd), sum(unpriced_tokens) from cost.cost_by_day_and_ai"
    ((cost_before, unpriced_before),) = warehouse.query(totals)
    ((priced_input, priced_output),) = warehouse.query(
        """
        select sum(input_tokens), sum(output_tokens) from core.fct_requests
        where model = 'acme-internal-70b' and not is_cache_hit
        """
    )
    assert unpriced_before == priced_input + priced_output > 0

    # The seed as it would be after somebody has edited it.
    with duckdb.connect(str(warehouse.home / "warehouse.duckdb")) as connection:
        connection.execute(
            """
            insert into seeds.price_overrides
                (provider, model, input_usd_per_million_tokens, output_usd_per_million_tokens)
            values ('openai', 'acme-internal-70b', 0.5, 2);
            update seeds.ai_services set ai_service = 'Our GPT' where provider = 'openai';
            """
        )
    warehouse.dbt("build", "--exclude", "resource_type:unit_test", "resource_type:seed")

    added = (priced_input * Decimal("0.5") + priced_output * 2) / 1_000_000
    assert warehouse.query(totals) == [(cost_before + added, 0)]
    assert warehouse.query(
        "select count(*) from usage.tokens_by_ai where ai_service in ('Our GPT', 'OpenAI')"
    ) == [(1,)]
    assert warehouse.query(versions) == built
