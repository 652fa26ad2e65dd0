"""Every public table, computed a second time from the landing files alone.

Plain Python on purpose: nothing here is shared with ingestion or the models, no DuckDB, no SQL.
The contract says what each measure means; this says it once more, request by request. Prices come
from genai-prices, asked about each request. Tables are lists of rows, and rows are dicts.

    landing.py                     the files, record by record
    litellm.py gateway.py spans.py what each sender's record tells
    tokens.py who.py names.py      what that means: kinds of tokens, people, names
    identity.py                    which deliveries tell of one call, which calls are one request
    prices.py teams.py             what a request costs, whose team somebody is in
    requests.py                    each request once, with its session, team and price
    measures.py growth.py          what reports count, take means of and compare
    tables.py                      what the reports say

Left out, since no test lands them: Parquet, price overrides.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

from recomputation.events import Event, Rejected
from recomputation.landing import read
from recomputation.measures import percentile
from recomputation.requests import Request, requests_of
from recomputation.tables import (
    TABLES,
    data_quality,
    response_times,
    session_lengths,
)
from recomputation.values import Row

__all__ = ["Recomputation", "Request", "Row", "percentile", "recompute", "tabulate"]


@dataclass(frozen=True)
class Recomputation:
    """All tables; those of buckets as what the buckets must hold, by the rest of their grain."""

    tables: dict[str, list[Row]]
    buckets: dict[str, dict[tuple, list[Row]]]
    requests: list[Request]
    events: list[Event]


def recompute(
    landing: Path,
    *,
    reporting_time_zone: str = "UTC",
    session_idle_minutes: int = 30,
    gateway_addresses: Iterable[str] = (),
) -> Recomputation:
    """Compute every public table from the landing files."""
    zone = ZoneInfo(reporting_time_zone)
    records = list(read(landing, gateway_addresses))
    events = [record for record in records if isinstance(record, Event)]
    return tabulate(records, requests_of(events, zone, session_idle_minutes), zone)


def tabulate(
    records: list[Event | Rejected], requests: list[Request], zone: ZoneInfo
) -> Recomputation:
    """Compute every public table of what was read, and of the requests that it tells of."""
    tables = {
        f"{schema}.{table.__name__}": table(requests)
        for schema, functions in TABLES.items()
        for table in functions
    }
    tables["technical.data_quality"] = data_quality(records, requests, zone)
    return Recomputation(
        tables,
        {
            "technical.response_times": response_times(requests),
            "technical.response_times_by_user": response_times(requests, "user", "team"),
            "technical.session_lengths": session_lengths(requests),
            "technical.session_lengths_by_user": session_lengths(requests, "user_id", "team_id"),
        },
        requests,
        [record for record in records if isinstance(record, Event)],
    )
