"""The general format: a row a request, its parts within their wholes."""

from typing import Any

from recomputation.events import Event
from recomputation.names import model_name, provider_name, region_name, service_tier
from recomputation.tokens import FINER, WITHIN, Told, disjoint
from recomputation.values import (
    Row,
    after,
    count,
    flag,
    identifier,
    moment,
    money,
    required,
    text,
)
from recomputation.who import user_of

KINDS = ("audio", "image", "video")


def gateway_event(record: Row, **landed: Any) -> Event:
    known = {name: text(value) for name, value in record.items()}.get
    start = required(moment(record.get("requested_at")))
    failed = known("status") == "failure"
    names = ("input", "cache_read", "cache_write", "output", "reasoning")
    counts = [count(known(f"{name}_tokens")) for name in names]
    tokens, is_part_cut = disjoint(Told(*counts, None, WITHIN, WITHIN))
    told_finer = {name: count(known(f"{name}_tokens")) for name in FINER}
    if not fit(dict(zip(names, counts, strict=True)), told_finer):
        raise ValueError("a part is larger than its whole")
    request_id, model = required(known("request_id")), required(known("model"))
    provider = provider_name(required(known("provider")), model)
    response_id = identifier(known("response_id"))
    owner, end_user, hit = known("user_id"), known("end_user_id"), flag(known("is_cache_hit"))
    user = user_of(owner, end_user, None, None)
    return Event(
        source="gateway",
        teller="gateway",
        updated_at=moment(known("updated_at")),
        call_id=request_id,
        response_id=response_id,
        witnesses=frozenset({response_id, identifier(request_id)} - {None})
        if not hit
        else frozenset(),
        prompt_id=known("prompt_id") or request_id,
        session_id=known("session_id"),
        user_id=user,
        user_name=known("user_name") if owner and user == owner else None,
        end_user_id=end_user,
        team_id=known("team_id"),
        provider=provider,
        model=model_name(provider, model),
        status="failure" if failed else "success",
        error_type=known("error_type") if failed else None,
        is_cache_hit=hit,
        tokens=tokens,
        finer=told_finer,
        is_part_cut=is_part_cut,
        web_searches=count(known("web_searches")),
        service_tier=service_tier(known("service_tier")),
        region=region_name(known("region"), provider, model),
        is_sum_of_calls=flag(known("is_sum_of_calls")),
        reported_cost_usd=money(known("cost_usd")),
        requested_at=start,
        first_token_at=after(start, known("time_to_first_token_ms")),
        completed_at=after(start, known("response_time_ms")),
        **landed,
    )


def fit(wholes: dict[str, int | None], parts: dict[str, int | None]) -> bool:
    """Whether each finer meter is within what it is part of."""
    told = {name: number or 0 for name, number in (wholes | parts).items()}
    cached_audio = min(told["input_audio"], told["cache_read"])
    return (
        told["cache_write_5m"] + told["cache_write_1h"] <= told["cache_write"]
        and sum(told[f"input_{kind}"] for kind in KINDS) <= told["input"]
        and sum(told[f"output_{kind}"] for kind in KINDS) <= told["output"]
        and told["cache_audio_read"] <= cached_audio
    )
