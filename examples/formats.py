"""One request to an AI, and its record as each of three gateways really writes it."""

import json
import uuid
from random import Random
from typing import Any, NamedTuple

from examples.organisation import METERS, Error, Model, User

SECOND = 10**6  # times are integer microseconds since the epoch
PROMPT_TEXT = "PROMPT-TEXT-MUST-NOT-BE-STORED"


class Request(NamedTuple):
    """One call to an AI. `tokens`: uncached, cache read, cache write, output, reasoning."""

    id: str
    prompt: str
    session: str | None
    user: User
    model: Model
    at: int
    first_token: int  # the same as `end` unless the answer is a stream
    end: int
    error: Error | None
    is_cache_hit: bool
    tokens: tuple[int, int, int, int, int]
    parts: dict[str, int]  # of them, by meter
    web_searches: int
    tier: str | None
    team: str
    cost: int | None

    @property
    def inputs(self) -> int:
        """Input tokens as gateways report them: cache reads and writes included."""
        return sum(self.tokens[:3])

    @property
    def audio(self) -> int | None:
        """Audio of the input, with what of it was cached; None if the model hears nothing."""
        if "input_audio" not in self.parts:
            return None
        return self.parts["input_audio"] + self.parts.get("cache_audio_read", 0)

    @property
    def outputs(self) -> int:
        """Output tokens as gateways report them: reasoning included."""
        return sum(self.tokens[3:])


def uid(rng: Random) -> str:
    """Make a random UUID."""
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def to_json(value: Any) -> str:
    """Write JSON in one short line."""
    return json.dumps(value, separators=(",", ":"))


def litellm_line(r: Request, call_type: str) -> str:
    """Write a StandardLoggingPayload, without the fields that say nothing of usage."""
    message = f"litellm.{r.error.name}: {r.model.provider} said no" if r.error else ""
    counts = {"completion_tokens": r.outputs, "prompt_tokens": r.inputs}
    counts["total_tokens"] = r.inputs + r.outputs
    usage: dict[str, Any] = counts | {"completion_tokens_details": None}
    usage["prompt_tokens_details"] = {"cached_tokens": r.tokens[1]} if r.tokens[1] else None
    if r.model.reasoning:
        usage["completion_tokens_details"] = {"reasoning_tokens": r.tokens[4]}
    if r.model.provider == "anthropic":
        details: dict[str, Any] = {
            "cached_tokens": r.tokens[1],
            "cache_creation_tokens": r.tokens[2],
        }
        usage["prompt_tokens_details"] = details
        usage["cache_creation_input_tokens"] = r.tokens[2]
        usage["cache_read_input_tokens"] = r.tokens[1]
        details["cache_creation_token_details"] = {
            f"ephemeral_{life}_input_tokens": r.parts.get(f"cache_write_{life}", 0)
            for life in ("5m", "1h")
        }
        usage["server_tool_use"] = {"web_search_requests": r.web_searches}
    if "output_image" in r.parts:
        usage["completion_tokens_details"] = {"image_tokens": r.parts["output_image"]}
    payload = {
        "id": r.id,
        "litellm_call_id": r.prompt,
        "trace_id": r.session or r.prompt,
        "session_id": "",  # empty in reality too: the session is in the requester's metadata
        "call_type": call_type,
        "cache_hit": True if r.is_cache_hit else False if r.error else None,
        "stream": True if r.first_token < r.end else None,
        "status": "failure" if r.error else "success",
        "custom_llm_provider": r.model.provider,
        "startTime": r.at / SECOND,
        "endTime": r.end / SECOND,
        "completionStartTime": r.first_token / SECOND,
        "response_time": (r.first_token - r.at) / SECOND,
        "model": f"{r.model.provider}/{r.model.name}",
        "model_group": r.model.name.removesuffix("-4-5"),
        "metadata": {
            "user_api_key_user_id": r.user.id,
            "user_api_key_team_id": r.team,
            "user_api_key_team_alias": r.team,
            "requester_metadata": {"session_id": r.session} if r.session else {},
            "usage_object": {} if r.error else usage,
        },
        "response_cost": (r.cost or 0) / 10**10,  # correctly rounded, so its text is exact
        "cost_breakdown": {"service_tier": r.tier} if r.tier and not r.error else None,
        "model_parameters": {"service_tier": r.tier} if r.tier else {},
        **counts,
        "end_user": "",
        "messages": [{"role": "user", "content": PROMPT_TEXT}],
        "response": {"choices": [{"message": {"role": "assistant", "content": PROMPT_TEXT}}]},
        "error_str": message or None,
        "error_information": {
            "error_code": r.error.code if r.error else "",
            "error_class": r.error.name if r.error else "",
            "llm_provider": r.model.provider if r.error else "",
            "error_message": message,
        },
    }
    return to_json(payload)


def otel_span(
    name: str, ids: tuple[str, str, str], start: int, end: int, attributes: dict[str, Any], bad: str
) -> str:
    """Write an OTLP span. `ids`: trace, span and parent, which is empty on a parent span."""
    kinds = {float: "doubleValue", int: "intValue", str: "stringValue"}
    listed = [  # in OTLP/JSON 64-bit integers are text
        {"key": k, "value": {kinds[type(v)]: v if isinstance(v, float) else str(v)}}
        for k, v in attributes.items()
    ]
    span = {"traceId": ids[0], "spanId": ids[1]} | ({"parentSpanId": ids[2]} if ids[2] else {})
    span |= {"flags": 256, "name": name, "kind": 3 if ids[2] else 1}
    span |= {"startTimeUnixNano": f"{start}000", "endTimeUnixNano": f"{end}000"}
    status = {"message": f"Error code: {bad}", "code": 2} if bad else {}
    return to_json(span | {"attributes": listed, "status": status})


def otel_trace(rng: Random, requests: list[Request], early: int = 0) -> list[tuple[bool, str]]:
    """Write the spans of one prompt, (is the parent, JSON); the parent alone names the user.

    `early`: microseconds before the gateway that an application saw a request to LiteLLM begin.
    """
    user, session = requests[0].user, requests[0].session
    trace, parent = f"{rng.getrandbits(128):032x}", f"{rng.getrandbits(64):016x}"
    spans, late = [], early // 4
    for r in requests:
        model = r.model.name.removesuffix("-4-5") if early else r.model.name
        provider = "gen_ai.system" if user.old_dialect else "gen_ai.provider.name"
        address = "litellm.acme.example" if early else f"{r.model.provider}.example"
        attributes: dict[str, Any] = {
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": model,
            provider: "openai" if early else r.model.provider,
            "server.address": address,
            "server.port": 4000 if early else 443,
        }
        told = "gen_ai.openai" if user.old_dialect else "openai"
        tier = None if early else r.tier
        if tier not in (None, "default"):
            attributes[f"{told}.request.service_tier"] = tier
        if tier and not r.error:
            attributes[f"{told}.response.service_tier"] = tier
        if not user.old_dialect:
            text = [{"role": "user", "parts": [{"type": "text", "content": PROMPT_TEXT}]}]
            attributes["gen_ai.input.messages"] = to_json(text)
            if r.first_token < r.end:
                waited = (r.first_token - r.at + early) / SECOND
                attributes["gen_ai.response.time_to_first_chunk"] = waited
        if r.error:
            attributes["error.type"] = r.error.name
        else:
            attributes |= {"gen_ai.response.model": model, "gen_ai.response.id": r.id}
            if not early or rng.random() < 0.9:  # streams often carry no usage
                attributes["gen_ai.usage.input_tokens"] = r.inputs
                attributes["gen_ai.usage.output_tokens"] = r.outputs
            if not early:
                attributes["gen_ai.usage.cache_read.input_tokens"] = r.tokens[1]
                attributes["gen_ai.usage.reasoning_tokens"] = r.tokens[4]
        ids, bad = (trace, f"{rng.getrandbits(64):016x}", parent), r.error.code if r.error else ""
        span = otel_span(f"chat {model}", ids, r.at - early, r.end + late, attributes, bad)
        spans.append((False, span))
    who = {"enduser.id": user.id, "team.id": requests[0].team} | (
        {"session.id": session} if session else {}
    )
    start, end = min(r.at for r in requests) - early - 200, max(r.end for r in requests) + late
    parent_span = otel_span("handle_request", (trace, parent, ""), start, end + 300, who, "")
    return [*spans, (True, parent_span)]


def gateway_record(r: Request) -> dict[str, Any]:
    """Write a request in the columns of the generic format; `requested_at` in microseconds."""
    return {
        "request_id": r.id,
        "requested_at": r.at,
        "provider": r.model.provider,
        "model": r.model.name,
        "user_id": r.user.id,
        "user_name": r.user.name,
        "team_id": r.team,
        "session_id": r.session,
        "prompt_id": r.prompt,
        "status": "failure" if r.error else "success",
        "error_type": r.error.name if r.error else None,
        "is_cache_hit": r.is_cache_hit,
        "input_tokens": r.inputs,
        "cache_read_tokens": r.tokens[1],
        "cache_write_tokens": r.tokens[2],
        "output_tokens": r.outputs,
        "reasoning_tokens": r.tokens[4],
        **{f"{meter}_tokens": r.parts.get(meter) for meter in METERS},
        "input_audio_tokens": r.audio,
        "service_tier": r.tier,
        "response_time_ms": (r.end - r.at) / 1000,
        "time_to_first_token_ms": (r.first_token - r.at) / 1000 if r.first_token < r.end else None,
        "cost_usd": None if r.cost is None else r.cost / 10**10,
        "prompt_text": PROMPT_TEXT,  # a column that the warehouse does not know
    }
