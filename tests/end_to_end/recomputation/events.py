"""What landed, as far as it could be read."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from recomputation.tokens import Tokens

# Who knows best: LiteLLM's payload, its table, the general format, a span. Spans of different
# instrumentations are different tellers, and bear the instrumentation behind it.
SOURCES = ("litellm", "gateway", "otel")
TELLERS = ("litellm_payload", "litellm_table", "gateway", "span")


@dataclass(frozen=True, kw_only=True)
class Event:
    """A delivery: one record that could be read. None is what it does not tell; times are UTC."""

    source: str
    teller: str
    landed_at: datetime
    landing_file: str
    text: str  # all of the record, for an order of what nothing else tells apart
    updated_at: datetime | None = None
    is_provisional: bool = False

    call_id: str
    response_id: str | None
    witnesses: frozenset[str]  # response ids, and other sources' names of the call
    prompt_id: str
    session_id: str | None
    is_session_id_doubtful: bool = False  # it may have been made up for this request alone

    user_id: str | None
    user_name: str | None = None
    end_user_id: str | None
    team_id: str | None

    provider: str | None
    model: str | None
    asked: frozenset[str] = frozenset()  # names under which the model was asked for
    status: str
    error_type: str | None
    is_cache_hit: bool
    tokens: Tokens | None
    finer: dict[str, int | None] = field(default_factory=dict)  # meters of them, as told
    is_part_cut: bool  # a part larger than its whole
    web_searches: int | None = None
    service_tier: str | None = None
    region: str | None = None
    is_sum_of_calls: bool = False  # of which none is known by itself
    reported_cost_usd: Decimal | None
    requested_at: datetime
    first_token_at: datetime | None
    completed_at: datetime | None

    left_out_as: str | None = None  # what is no request: under which name it is counted
    is_client_view: bool = False
    tokens_only_in_parents: int = 0


@dataclass(frozen=True)
class Rejected:
    """A landed record that is bad; `at` is None where it has no readable time."""

    source: str
    landed_at: datetime
    at: datetime | None
