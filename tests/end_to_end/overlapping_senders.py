"""Requests that several senders tell of, as each really writes it, and the truth about them.

A seed is a small organisation's three days: ten to thirty requests, each told by one to four of
LiteLLM's payload and its table, another gateway in the general format, and spans of clients, of
LiteLLM itself and of agents with all that is below them. Deliveries come late, twice and corrected,
in random order over three nights. The truth is what was requested, noted when it was; nothing is
read back. Whatever a seed makes bears its number, so that many land side by side, and a seed lands
by itself as it did among others:

    python tests/end_to_end/overlapping_senders.py --seed 17 --landing /tmp/landing

The names of files are in another order than their times. All times are
integer microseconds since 1970, and prices whole units of 1e-9 USD a token.
"""

import argparse
import csv
import io
import json
import os
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any, NamedTuple
from uuid import NAMESPACE_OID, uuid5

MILLISECOND, SECOND = 1000, 10**6
MINUTE, HOUR = 60 * SECOND, 3600 * SECOND
DAY = 24 * HOUR
NIGHTS, FILES_A_NIGHT = (1, 2, 3), 3
FIRST_DAY = int(datetime(2026, 11, 16, tzinfo=UTC).timestamp()) * SECOND
Tokens = tuple[int, int, int, int, int]  # uncached, cache read, cache write, output, reasoning


class Model(NamedTuple):
    """What is asked, and what each sender calls it. Prices as Tokens; None: nobody knows one."""

    provider: str
    name: str
    in_litellm: tuple[str, str]  # provider, model
    in_spans: tuple[str, str]
    alias: str  # what LiteLLM's clients ask for
    prices: tuple[int, int, int, int, int] | None
    caches: bool = False
    writes_cache: bool = False
    thinks: bool = False
    known_to_litellm_as: str | None = None  # what a deployment is


GPT = Model("openai", "gpt-4o", ("openai", "openai/gpt-4o"), ("openai", "gpt-4o"), "gpt-4o",
            (2500, 1250, 2500, 10000, 10000), caches=True)  # fmt: skip
MINI = Model("openai", "gpt-4o-mini", ("openai", "gpt-4o-mini"), ("openai", "gpt-4o-mini"), "fast",
             (150, 75, 150, 600, 600), caches=True)  # fmt: skip
O3 = Model("openai", "o3-mini", ("openai", "openai/o3-mini"), ("openai", "o3-mini"), "clever",
           (1100, 550, 1100, 4400, 4400), caches=True, thinks=True)  # fmt: skip
CLAUDE = Model("anthropic", "claude-sonnet-4-5", ("anthropic", "anthropic/claude-sonnet-4-5"),
               ("anthropic", "claude-sonnet-4-5"), "claude", (3000, 300, 3750, 15000, 15000),
               caches=True, writes_cache=True)  # fmt: skip
GEMINI = Model("google", "gemini-2.5-flash", ("gemini", "gemini/gemini-2.5-flash"),
               ("gcp.gemini", "gemini-2.5-flash"), "flash", (300, 30, 300, 2500, 2500),
               caches=True, thinks=True)  # fmt: skip
GROK = Model("x-ai", "grok-4", ("xai", "xai/grok-4"), ("xai", "grok-4"), "grok",
             (3000, 750, 3000, 15000, 15000), thinks=True)  # fmt: skip
ACME = Model("openai", "acme-internal-70b", ("openai", "openai/acme-internal-70b"),
             ("openai", "acme-internal-70b"), "internal", None)  # fmt: skip
LLAMA = Model("ollama", "llama3.2", ("ollama", "ollama/llama3.2"), ("ollama", "llama3.2"), "llama",
              None)  # fmt: skip
BEDROCK = Model("aws", "us.anthropic.claude-sonnet-4-20250514-v1:0",
                ("bedrock", "bedrock/us.anthropic.claude-sonnet-4-20250514-v1:0"),
                ("aws.bedrock", "us.anthropic.claude-sonnet-4-20250514-v1:0"), "bedrock-claude",
                (3000, 300, 3750, 15000, 15000), caches=True, writes_cache=True)  # fmt: skip
AZURE = Model("azure", "gpt-4o", ("azure", "azure/prod-s"), ("az.ai.openai", "gpt-4o"), "prod",
              (2500, 1250, 2500, 10000, 10000), caches=True,
              known_to_litellm_as="azure/gpt-4o")  # fmt: skip
MODELS = (AZURE, GPT, MINI, O3, CLAUDE, GEMINI, GROK, ACME)
HEALTH_CHECK = "litellm-internal-health-check"


class Who(NamedTuple):
    """What a gateway knows of who asked, and who that was. A client names the person."""

    owner: str | None = None
    end_user: str | None = None
    alias: str | None = None
    user: str | None = None
    name: str | None = None


@dataclass(frozen=True)
class Request:
    """What happened: one call to an AI. `tokens` is None where nobody learned them."""

    id: str  # bears the seed, and is told by nobody as it is
    at: int
    end: int
    first_token: int | None  # of a stream
    model: Model
    tokens: Tokens | None
    error: str | None
    is_cache_hit: bool
    who: Who
    response_id: str | None
    session: str | None
    trace: str
    span: str
    attempt_of: str | None = None  # an earlier try's id

    @property
    def call_id(self) -> str:
        """LiteLLM's, which all attempts of a call share."""
        return str(uuid5(NAMESPACE_OID, self.attempt_of or self.id))

    @property
    def litellm_id(self) -> str:
        """What keeps its requests apart: attempts by their start, answers by their ids."""
        if self.error:
            return f"{self.call_id}/{self.at // MILLISECOND}"
        told = self.response_id if not self.is_cache_hit else None
        return f"{self.call_id}/{told}" if told else self.call_id

    @property
    def general_id(self) -> str:
        return f"gw-{self.id}"

    @property
    def inputs(self) -> int:
        return sum(self.tokens[:3])

    @property
    def outputs(self) -> int:
        return sum(self.tokens[3:])

    @property
    def cost(self) -> Decimal | None:
        """What the list says."""
        if self.tokens is None or self.model.prices is None:
            return None
        return Decimal(sum(map(int.__mul__, self.tokens, self.model.prices))).scaleb(-9)


@dataclass(frozen=True)
class Truth:
    """What must be published of a request. `requested_at` to the millisecond."""

    seed: int
    request_id: str
    source: str
    user_id: str | None
    end_user_id: str | None
    provider: str
    model: str
    status: str
    is_cache_hit: bool
    tokens: Tokens | None
    price_status: str
    cost_usd: Decimal | None
    requested_at: int
    conflicting_deliveries: int


class Delivery(NamedTuple):
    """A record in the file of a night; files are numbered in the order in which they land."""

    file: int
    source: str
    record: dict[str, Any]

    @property
    def night(self) -> int:
        return NIGHTS[self.file // FILES_A_NIGHT]


# --- The senders ---


def json_time(at: int, cut: bool = False) -> str:
    """As LiteLLM's table holds it; some versions to the millisecond."""
    at = at // MILLISECOND * MILLISECOND if cut else at
    return f"{datetime.fromtimestamp(at // SECOND, UTC):%Y-%m-%d %H:%M:%S}.{at % SECOND:06d}+00:00"


def litellm_usage(r: Request) -> dict[str, Any]:
    """LiteLLM's usage object: cache within the prompt; xAI's reasoning beside the completion."""
    if r.tokens is None:
        return {}
    beside = r.model is GROK
    completion = r.tokens[3] if beside else r.outputs
    usage = {"completion_tokens": completion, "prompt_tokens": r.inputs}
    usage |= {"total_tokens": r.inputs + r.outputs, "completion_tokens_details": None}
    usage["prompt_tokens_details"] = {"cached_tokens": r.tokens[1]} if r.tokens[1] else None
    if r.model.thinks:
        usage["completion_tokens_details"] = {"reasoning_tokens": r.tokens[4]}
    if r.model.writes_cache:
        details = {"cached_tokens": r.tokens[1], "cache_creation_tokens": r.tokens[2]}
        usage |= {"prompt_tokens_details": details, "cache_read_input_tokens": r.tokens[1]}
        usage |= {"cache_creation_input_tokens": r.tokens[2]}
    return usage


def litellm_counts(r: Request) -> dict[str, int]:
    usage = litellm_usage(r)
    return {n: usage.get(n, 0) for n in ("total_tokens", "prompt_tokens", "completion_tokens")}


def litellm_user(r: Request) -> dict[str, Any]:
    return {
        "user_api_key_alias": r.who.alias,
        "user_api_key_user_id": r.who.owner,
        "user_api_key_team_id": HEALTH_CHECK if is_health_check(r) else None,
    }


def litellm_map(r: Request) -> dict[str, Any]:
    """LiteLLM's entry for the model, if it knows one."""
    key = r.model.known_to_litellm_as or r.model.in_litellm[1]
    value = {"key": r.model.name} if r.model.prices else None
    return {"model_map_key": key, "model_map_value": value}


def is_health_check(r: Request) -> bool:
    return r.who.owner == HEALTH_CHECK


def payload(r: Request, rng: Random) -> dict[str, Any]:
    """LiteLLM's StandardLoggingPayload."""
    metadata = {**litellm_user(r), "requester_metadata": {}, "usage_object": litellm_usage(r)}
    if r.session:
        metadata["requester_metadata"] = {"session_id": r.session}
    end_user_in_metadata = rng.random() < 0.5
    if end_user_in_metadata:
        metadata["user_api_key_end_user_id"] = r.who.end_user
    record = {
        "id": r.response_id or r.call_id,
        "litellm_call_id": r.call_id,
        "trace_id": r.session or r.call_id,
        "session_id": "",
        "call_type": "acompletion",
        "cache_hit": True if r.is_cache_hit else False if r.error else None,
        "stream": True if r.first_token else None,
        "status": "failure" if r.error else "success",
        "custom_llm_provider": r.model.in_litellm[0],
        "startTime": r.at / SECOND,
        "endTime": r.end / SECOND,
        "completionStartTime": (r.first_token or r.end) / SECOND,
        "model": r.model.in_litellm[1],
        "model_group": r.model.alias,
        "metadata": metadata,
        "response_cost": 0.0 if r.is_cache_hit else float(r.cost or 0),
        **litellm_counts(r),
        "request_tags": [],
        "end_user": "" if end_user_in_metadata else r.who.end_user or "",
        "messages": [{"role": "user", "content": "x"}],
        "response": {},
        "error_information": {"error_code": "429" if r.error else "", "error_class": r.error or ""},
        "model_parameters": {},
        "hidden_params": {},
        "model_map_information": litellm_map(r),
    }
    if r.tokens and rng.random() < 0.2:  # as early payloads told it
        del metadata["usage_object"]
        record["response"] = {"id": record["id"], "usage": litellm_usage(r)}
    if r.is_cache_hit:
        record["id"] = f"{record['id']}_cache_hit{r.end / SECOND}"
    return record


def table_row(
    r: Request, rng: Random, dialect: str = "new", *, is_keyed_by_call: bool = False
) -> dict[str, Any]:
    """A row of LiteLLM_SpendLogs. Its key is the answer's id, of some newer calls the call's.

    `dialect`: `new`; `old`, which tells no call id; `oldest`, which has no usage object either.
    """
    metadata = {"user_api_key": "h", **litellm_user(r), "usage_object": litellm_usage(r)}
    metadata |= {"applied_guardrails": [], "litellm_call_id": r.call_id}
    metadata |= {"model_map_information": litellm_map(r)}
    key = r.response_id or r.call_id
    record = {
        "request_id": key,
        "call_type": "acompletion",
        "api_key": "h",
        "cache_hit": "True" if r.is_cache_hit else "False" if r.error else "None",
        "startTime": json_time(r.at, cut=rng.random() < 0.5),
        "endTime": json_time(r.end),
        "completionStartTime": json_time(r.first_token or r.end),
        "model": r.model.in_litellm[1],
        "model_group": r.model.alias,
        "custom_llm_provider": r.model.in_litellm[0],
        "user": r.who.owner or "",
        "team_id": "",
        "end_user": r.who.end_user or "",
        "spend": 0.0 if r.is_cache_hit else float(r.cost or 0),
        **litellm_counts(r),
        "session_id": r.session or f"made-up-{r.id}-{r.at}",
        "status": "success",  # of failures, too
        "request_tags": "[]",
        "messages": "{}",
        "response": "{}",
    }
    if dialect == "new":
        record["litellm_call_id"] = r.call_id
        if is_keyed_by_call:
            record["request_id"] = r.call_id
        if rng.random() < 0.6:
            del rng.choice((metadata, record))["litellm_call_id"]
        record["status"] = "failure" if r.error else "success"
    else:
        del metadata["litellm_call_id"]
    if dialect == "oldest" and not r.error:
        del metadata["usage_object"]
    if r.is_cache_hit:
        record["request_id"] += f"_cache_hit{r.end / SECOND}"
    return record | {"metadata": json.dumps(metadata)}


def general(r: Request, early: int = 0, **more: Any) -> dict[str, Any]:
    """A row of the general format, of a gateway whose clock is `early`."""
    record: dict[str, Any] = {
        "request_id": r.general_id,
        "requested_at": (r.at - early) / SECOND,
        "provider": r.model.provider,
        "model": r.model.name,
        "user_id": r.who.owner,
        "user_name": r.who.name,
        "end_user_id": r.who.end_user,
        "session_id": r.session,
        "response_id": r.response_id,
        "status": "failure" if r.error else "success",
        "error_type": r.error,
        "is_cache_hit": r.is_cache_hit,
        "response_time_ms": (r.end - r.at) / 1000,
        "time_to_first_token_ms": (r.first_token - r.at) / 1000 if r.first_token else None,
    }
    if r.tokens:
        record |= {"input_tokens": r.inputs, "output_tokens": r.outputs}
        parts = zip(("cache_read", "cache_write"), r.tokens[1:3], strict=True)
        record |= {f"{name}_tokens": part for name, part in parts if r.model.caches}
        if r.model.thinks:
            record["reasoning_tokens"] = r.tokens[4]
    return record | more


def a_span(
    r: Request,
    name: str,
    attributes: dict[str, Any],
    *,
    scope: str = "lib",
    parent: str | None = None,
    early: int = 0,
    resource: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """An export batch of one span."""
    kinds = {bool: "boolValue", float: "doubleValue", int: "intValue", str: "stringValue"}

    def listed(attributes: dict[str, Any]) -> list[dict[str, Any]]:
        return [
            {"key": key, "value": {kinds[type(value)]: str(value) if type(value) is int else value}}
            for key, value in attributes.items()
            if value is not None
        ]

    span = {"traceId": r.trace, "spanId": r.span} | ({"parentSpanId": parent} if parent else {})
    span |= {"flags": 256, "name": name, "kind": 3}
    span |= {"startTimeUnixNano": f"{r.at - early}000", "endTimeUnixNano": f"{r.end}000"}
    span |= {"attributes": listed(attributes)}
    span["status"] = {"code": 2, "message": "it said no"} if r.error else {}
    about = {"attributes": listed({"service.name": "app", **(resource or {})})}
    return {
        "resourceSpans": [
            {"resource": about, "scopeSpans": [{"scope": {"name": scope}, "spans": [span]}]}
        ]
    }


def called(r: Request, model: str, **more: Any) -> dict[str, Any]:
    """What clients' spans say besides usage, in the names since convention 1.37."""
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": r.model.in_spans[0],
        "gen_ai.request.model": model,
        "gen_ai.response.model": None if r.error else model,
        "gen_ai.response.id": r.response_id,
        "error.type": r.error,
        "gen_ai.response.time_to_first_chunk": (
            (r.first_token - r.at) / SECOND if r.first_token else None
        ),
        **more,
    }


def new_names(r: Request) -> tuple[str, str, dict[str, Any]]:
    """OpenTelemetry's own: parts within."""
    attributes = called(r, r.model.in_spans[1])
    if r.tokens:
        attributes |= {
            "gen_ai.usage.input_tokens": r.inputs,
            "gen_ai.usage.output_tokens": r.outputs,
            "gen_ai.usage.cache_read.input_tokens": r.tokens[1],
            "gen_ai.usage.cache_creation.input_tokens": r.tokens[2] or None,
            "gen_ai.usage.reasoning.output_tokens": r.tokens[4] or None,
        }
    return f"chat {r.model.name}", "opentelemetry.util.genai.handler", attributes


def old_names(r: Request) -> tuple[str, str, dict[str, Any]]:
    """OpenLLMetry's, with a total: parts within."""
    attributes = called(r, r.model.in_spans[1])
    attributes["gen_ai.system"] = attributes.pop("gen_ai.provider.name")
    if r.tokens:
        attributes |= {
            "gen_ai.usage.prompt_tokens": r.inputs,
            "gen_ai.usage.completion_tokens": r.outputs,
            "gen_ai.usage.cache_read_input_tokens": r.tokens[1],
            "gen_ai.usage.cache_creation_input_tokens": r.tokens[2] or None,
            "gen_ai.usage.reasoning_tokens": r.tokens[4] or None,
            "gen_ai.usage.total_tokens": r.inputs + r.outputs,
        }
    return "openai.chat", "opentelemetry.instrumentation.openai.v1", attributes


def xai_sdk(r: Request) -> tuple[str, str, dict[str, Any]]:
    """xAI's own: reasoning beside, as no total says."""
    name, _, attributes = new_names(r)
    attributes["gen_ai.usage.reasoning.output_tokens"] = None
    attributes["gen_ai.usage.reasoning_tokens"] = r.tokens[4]
    attributes["gen_ai.usage.output_tokens"] = r.tokens[3]
    return name, "xai_sdk.chat", attributes


def beside_by_total(r: Request) -> tuple[str, str, dict[str, Any]]:
    """Some library whose parts stand beside, as only its total says."""
    name, _, attributes = old_names(r)
    if r.tokens:
        attributes |= {
            "gen_ai.usage.prompt_tokens": r.tokens[0],
            "gen_ai.usage.completion_tokens": r.tokens[3],
        }
    return name, "lib", attributes


def adk(r: Request) -> tuple[str, str, dict[str, Any]]:
    """Google's ADK: thoughts beside the output, no id of the answer."""
    name, _, attributes = new_names(r)
    attributes["gen_ai.response.id"] = attributes["gen_ai.response.model"] = None
    attributes["gen_ai.usage.reasoning.output_tokens"] = None
    if r.tokens:
        attributes["gen_ai.usage.output_tokens"] = r.tokens[3]
        attributes["gen_ai.usage.experimental.reasoning_tokens"] = r.tokens[4]
    return name.replace("chat", "generate_content"), "gcp.vertex.agent", attributes


def bedrock(r: Request) -> tuple[str, str, dict[str, Any]]:
    """OpenLLMetry's of Bedrock leaves the cache out of the input, and tells no total."""
    _, _, attributes = old_names(r)
    if r.tokens:
        attributes |= {"gen_ai.usage.total_tokens": None}
        attributes |= {"gen_ai.usage.input_tokens": r.tokens[0]}
        attributes |= {"gen_ai.usage.output_tokens": r.outputs}
        del attributes["gen_ai.usage.prompt_tokens"], attributes["gen_ai.usage.completion_tokens"]
    return "bedrock.converse", "opentelemetry.instrumentation.bedrock", attributes


def claude_code(r: Request) -> tuple[str, str, dict[str, Any]]:
    """Claude Code's own: names without a prefix, cache beside the input."""
    attributes: dict[str, Any] = {"gen_ai.system": "anthropic", "model": r.model.name}
    attributes["gen_ai.request.model"] = r.model.name
    names = ("input_tokens", "cache_read_tokens", "cache_creation_tokens", "output_tokens")
    attributes |= dict(zip(names, r.tokens[:4], strict=True))
    return "claude_code.llm_request", "com.anthropic.claude_code.tracing", attributes


def openinference(r: Request) -> tuple[str, str, dict[str, Any]]:
    attributes = {
        "openinference.span.kind": "LLM",
        "llm.system": r.model.in_spans[0],
        "llm.provider": r.model.in_spans[0],
        "llm.model_name": r.model.in_spans[1],
    }
    if r.tokens:
        attributes |= {
            "llm.token_count.prompt": r.inputs,
            "llm.token_count.completion": r.outputs,
            "llm.token_count.total": r.inputs + r.outputs,
            "llm.token_count.prompt_details.cache_read": r.tokens[1] or None,
            "llm.token_count.prompt_details.cache_write": r.tokens[2] or None,
            "llm.token_count.completion_details.reasoning": r.tokens[4] or None,
        }
    return "ChatCompletion", "openinference.instrumentation.openai", attributes


def litellm_span(r: Request) -> tuple[str, str, dict[str, Any]]:
    """LiteLLM's OTel callback, whose operation is the call type."""
    attributes = called(r, r.model.name)
    attributes["gen_ai.system"] = attributes.pop("gen_ai.provider.name")
    attributes |= {"gen_ai.operation.name": "acompletion", "llm.request.type": "acompletion"}
    if r.tokens:
        attributes |= {
            "gen_ai.usage.input_tokens": r.inputs,
            "gen_ai.usage.output_tokens": r.outputs,
            "gen_ai.usage.total_tokens": r.inputs + r.outputs,
        }
    attributes["gen_ai.cost.total_cost"] = float(r.cost) if r.cost else None
    return "litellm_request", "litellm", attributes


def openrouter(r: Request) -> tuple[str, str, dict[str, Any]]:
    """OpenRouter's broadcast: the vendor stands before the model."""
    _, _, attributes = old_names(r)
    attributes["gen_ai.request.model"] = f"{r.model.provider}/{r.model.name}"
    attributes["gen_ai.response.model"] = None
    if r.tokens:
        attributes |= {
            "gen_ai.usage.prompt_tokens": None,
            "gen_ai.usage.completion_tokens": None,
            "gen_ai.usage.cache_read_input_tokens": None,
            "gen_ai.usage.reasoning_tokens": None,
            "gen_ai.usage.input_tokens": r.inputs,
            "gen_ai.usage.output_tokens": r.outputs,
            "gen_ai.usage.input_tokens.cached": r.tokens[1],
            "gen_ai.usage.output_tokens.reasoning": r.tokens[4],
            "gen_ai.usage.total_cost": float(r.cost or 0),
        }
    return "LLM Generation", "openrouter", attributes


def vercel(r: Request) -> tuple[str, str, dict[str, Any]]:
    """The AI SDK's own span of a call; `ai.generateText` above it says the same."""
    attributes = {
        "operation.name": "ai.generateText.doGenerate",
        "ai.operationId": "ai.generateText.doGenerate",
        "ai.model.id": r.model.in_spans[1],
        "ai.model.provider": f"{r.model.in_spans[0]}.chat",
        "ai.response.id": r.response_id,
        "ai.response.model": r.model.in_spans[1],
        "ai.telemetry.metadata.userId": r.who.user,
    }
    if r.tokens:
        attributes |= {
            "ai.usage.inputTokens": r.inputs,
            "ai.usage.outputTokens": r.outputs,
            "ai.usage.totalTokens": r.inputs + r.outputs,
            "ai.usage.cachedInputTokens": r.tokens[1],
            "ai.usage.reasoningTokens": r.tokens[4],
        }
    return "ai.generateText.doGenerate", "ai", attributes


def through_a_gateway(r: Request) -> tuple[str, str, dict[str, Any]]:
    """A client's span of a request to a gateway: OpenAI's library, and the name it asked for."""
    name, scope, attributes = new_names(r)
    asked = {"gen_ai.provider.name": "openai", "gen_ai.request.model": r.model.alias}
    asked |= {"gen_ai.response.model": None if r.error else r.model.alias}
    for part in ("cache_read.input", "cache_creation.input", "reasoning.output"):
        attributes.pop(f"gen_ai.usage.{part}_tokens", None)
    asked |= {"server.address": "gateway.acme.example", "server.port": 4000}
    return name, scope, attributes | asked


Dialect = Callable[[Request], tuple[str, str, dict[str, Any]]]
WITNESSING: tuple[Dialect, ...] = (new_names, old_names, beside_by_total)  # tell the answer's id


# --- What happens ---

PAYLOAD, ROW, GENERAL, SPAN = "payload", "row", "general", "span"
LITELLMS = (PAYLOAD, ROW)


class Story:
    """What happened to one seed, what was delivered of it, and what is true of it."""

    def __init__(self, seed: int) -> None:
        self.seed, self.rng = seed, Random(seed)
        self.deliveries: list[Delivery] = []
        self.truth: list[Truth] = []
        self.counts: Counter[str] = Counter()  # what data_quality counts besides
        self.made = 0
        self.people = [f"{name}.s{seed}@acme.example" for name in ("ada", "alan", "grace")]
        how_many = self.rng.randrange(8, 15)
        for happen in self.rng.choices(list(HAPPENINGS), HAPPENINGS.values(), k=how_many):
            happen(self)
        self.rng.shuffle(self.deliveries)

    # What a request is made of.

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    def time(self) -> int:
        """Some microsecond of three days."""
        return FIRST_DAY + self.rng.randrange(HOUR, 3 * DAY - HOUR)

    def usage(self, model: Model, *, plain: bool = False) -> Tokens:
        rng = self.rng
        uncached, output = rng.randrange(1, 20_000), rng.randrange(1, 3000)
        read = rng.randrange(1, 15_000) if model.caches and self.chance(0.5) else 0
        write = rng.randrange(1, 9000) if model.writes_cache and self.chance(0.5) else 0
        thought = rng.randrange(1, 2000) if model.thinks else 0
        return (uncached, 0, 0, output, 0) if plain else (uncached, read, write, output, thought)

    def who(self) -> Who:
        """Mostly a person's own key; or one that many share, or one without owner."""
        rng, person = self.rng, self.rng.choice(self.people)
        owned = Who(owner=person, user=person, alias=f"key of {person}", name=f"Name of {person}")
        shared = rng.choice(("default_user_id", f"svc-chat-s{self.seed}"))
        return rng.choices(
            (
                owned,
                owned._replace(end_user=f"guest.s{self.seed}@customer.example"),
                Who(owner=shared, end_user=person, user=person, alias="chat"),
                Who(end_user=person, user=person),
                Who(),
            ),
            (5, 1, 2, 1, 1),
        )[0]

    def request(self, **told: Any) -> Request:
        """A request like others, but for what is told of it."""
        rng = self.rng
        self.made += 1
        name = f"s{self.seed}-{self.made}"
        model = told.get("model") or rng.choice(MODELS)
        at = told.get("at") or self.time()
        end = at + rng.randrange(200 * MILLISECOND, MINUTE)
        made = Request(
            id=name,
            at=at,
            end=end,
            first_token=(at + end) // 2 if self.chance(0.4) else None,
            model=model,
            tokens=self.usage(model),
            error=None,
            is_cache_hit=False,
            who=self.who(),
            response_id=f"chatcmpl-{name}-{rng.getrandbits(32):08x}",
            session=f"session-{name}" if self.chance(0.3) else None,
            trace=f"{self.seed:08x}{rng.getrandbits(96):024x}",
            span=f"{rng.getrandbits(64):016x}",
        )
        return replace(made, **told)

    def failure(self, **told: Any) -> Request:
        """A request that was refused: nothing came of it."""
        nothing: dict[str, Any] = {"tokens": None, "response_id": None, "first_token": None}
        return self.request(error="RateLimitError", **nothing | told)

    # Deliveries.

    def file(self, at: int) -> int:
        """One of the night after it, or late."""
        night = max((at - FIRST_DAY) // DAY, 0)
        if self.chance(0.3):
            night = self.rng.randrange(night, len(NIGHTS))
        return night * FILES_A_NIGHT + self.rng.randrange(FILES_A_NIGHT)

    def deliver(self, source: str, record: dict[str, Any], at: int, again: float = 0.15) -> int:
        """Have it land once, or once more; return how often."""
        times = 2 if self.chance(again) else 1
        for _ in range(times):
            self.deliveries.append(Delivery(self.file(at), source, record))
        return times

    def deliver_span(self, r: Request, dialect: Dialect, *, names_user: bool, **more: Any) -> None:
        """A client's span; whose it is stands on it, above it, or on what it comes from."""
        name, scope, attributes = dialect(r)
        where = self.rng.choice(("span", "above", "resource")) if names_user else None
        if where == "above" and "parent" in more:
            where = None  # the agent's span says it
        if where == "span":
            names = ("user.id", "enduser.id", "langfuse.user.id", "mlflow.trace.user")
            attributes[self.rng.choice(names)] = r.who.user
        if where == "resource":
            more["resource"] = {"user.id": r.who.user}
        if where == "above":
            above = replace(r, span=f"{self.rng.getrandbits(64):016x}", error=None)
            handled = a_span(above, "handle_request", {"enduser.id": r.who.user}, early=SECOND // 2)
            self.deliver("otel", handled, r.at)
            more["parent"] = above.span
        self.deliver("otel", a_span(r, name, attributes, scope=scope, **more), r.at)

    def expect(
        self,
        r: Request,
        request_id: str,
        source: str,
        *,
        user: str | None,
        end_user: str | None = None,
        conflicts: int = 0,
    ) -> None:
        """Note what is true of a request."""
        came_to_nothing = not any(r.tokens) if r.tokens else not r.first_token
        if r.is_cache_hit or (r.error and came_to_nothing):
            status, cost = "free", Decimal(0)
        elif r.tokens is None:
            status, cost = "no usage reported", None
        else:
            status, cost = "priced" if r.model.prices else "no known price", r.cost
        self.truth.append(
            Truth(
                seed=self.seed,
                request_id=request_id,
                source=source,
                user_id=user,
                end_user_id=end_user,
                provider=r.model.provider,
                model=r.model.name,
                status="failure" if r.error else "success",
                is_cache_hit=r.is_cache_hit,
                tokens=r.tokens,
                price_status=status,
                cost_usd=cost,
                requested_at=r.at // MILLISECOND,
                conflicting_deliveries=conflicts,
            )
        )

    def tell(
        self,
        r: Request,
        *tellers: str,
        dialect: Dialect = new_names,
        row: str = "new",
        silent: Iterable[str] = (),
        early: int | None = None,
        is_keyed: bool = True,
        **of_span: Any,
    ) -> None:
        """Have these senders tell of a request; the `silent` ones do not know its usage.

        The truth is what the first of them tells that knows, in the order above.
        """
        early = self.rng.randrange(SECOND) if early is None else early
        as_told_by = {
            teller: replace(r, tokens=None) if teller in silent else r for teller in tellers
        }
        in_litellm = [teller for teller in LITELLMS if teller in tellers]
        # Only the payload knows both ids then.
        by_call = is_keyed and (PAYLOAD in tellers or tellers == (ROW,)) and self.chance(0.4)
        if PAYLOAD in tellers:
            self.deliver("litellm", payload(as_told_by[PAYLOAD], self.rng), r.at)
        if ROW in tellers:
            told = table_row(as_told_by[ROW], self.rng, row, is_keyed_by_call=by_call)
            self.deliver("litellm", told, r.at)
        if GENERAL in tellers:
            more: dict[str, Any] = {"response_id": r.call_id} if r.error and in_litellm else {}
            if in_litellm and (PAYLOAD in tellers or row == "new") and not r.error:
                if self.chance(0.4):  # it knows the call as LiteLLM does
                    more = {"response_id": r.call_id}
                elif self.chance(0.3) and not r.attempt_of:
                    more = {"request_id": r.call_id}
            ahead = early if in_litellm else 0
            self.deliver("gateway", general(as_told_by[GENERAL], ahead, **more), r.at)
        if SPAN in tellers:
            # Its gateway may know nobody; then what the client says of itself counts.
            is_person = r.who.user in self.people
            names_user = is_person and (tellers == (SPAN,) or self.chance(0.5))
            ahead = early if len(tellers) > 1 else 0
            seen = as_told_by[SPAN]
            self.deliver_span(seen, dialect, names_user=names_user, early=ahead, **of_span)
        if in_litellm:
            request_id = r.litellm_id
            if PAYLOAD not in tellers and not r.error:
                if row != "new":
                    request_id = f"{r.response_id}/{r.at // MILLISECOND}"
                elif by_call:
                    request_id = r.call_id
            source, end_user = "litellm", r.who.end_user
        elif GENERAL in tellers:
            request_id, source, end_user = r.general_id, "gateway", r.who.end_user
        else:
            request_id, source, end_user = f"{r.trace}-{r.span}", "otel", None
        self.expect(r, request_id, source, user=r.who.user, end_user=end_user)

    # What may happen.

    def asked(self) -> None:
        """A request that any two or three of them tell of."""
        r = self.request()
        tellers = self.rng.choice(
            (
                *((PAYLOAD,), (ROW,), (GENERAL,), (SPAN,), (PAYLOAD, ROW), (PAYLOAD, GENERAL)),
                *((ROW, GENERAL), (PAYLOAD, SPAN), (ROW, SPAN), (GENERAL, SPAN)),
                *((PAYLOAD, ROW, GENERAL), (PAYLOAD, ROW, SPAN), (ROW, GENERAL, SPAN)),
                (PAYLOAD, ROW, GENERAL, SPAN),
            )
        )
        behind_gateway = len(tellers) > 1 and r.model is not GROK
        dialects = (through_a_gateway, *WITNESSING) if behind_gateway else WITNESSING
        row = self.rng.choice(("new", "new", "old"))
        silent = [SPAN] if SPAN in tellers and len(tellers) > 1 and self.chance(0.3) else []
        self.tell(r, *tellers, dialect=self.rng.choice(dialects), row=row, silent=silent)

    def asked_when_rows_told_less(self) -> None:
        """Before LiteLLM's table had usage objects."""
        model = self.rng.choice((GPT, MINI, CLAUDE, ACME))
        r = self.request(model=model, tokens=self.usage(model, plain=True))
        self.tell(r, ROW, *self.rng.choice(((), (PAYLOAD,), (SPAN,))), row="oldest")

    def asked_with_nothing_told_of_the_answers_id(self) -> None:
        """Only the span tells; in all its dialects."""
        dialects: tuple[tuple[Dialect, Model], ...] = (
            *((adk, GEMINI), (claude_code, CLAUDE), (openinference, O3), (openinference, GPT)),
            *((bedrock, BEDROCK), (xai_sdk, GROK), (openrouter, O3), (openrouter, GPT)),
        )
        dialect, model = self.rng.choice(dialects)
        r = self.request(model=model, first_token=None, response_id=None)
        self.tell(r, SPAN, dialect=dialect)

    def asked_through_vercels_sdk(self) -> None:
        """Its spans say the same twice, one above the other; a gateway may see the call, too."""
        r = self.request(who=self.owned(), model=self.rng.choice((GPT, O3)), first_token=None)
        above = replace(r, span=f"{self.rng.getrandbits(64):016x}")
        name, scope, attributes = vercel(above)
        name = name.removesuffix(".doGenerate")
        attributes |= {"operation.name": name, "ai.operationId": name, "ai.response.id": None}
        told = a_span(above, name, attributes, scope=scope)
        self.counts[name] += self.deliver("otel", told, r.at)
        tellers = self.rng.choice(((SPAN,), (GENERAL, SPAN), (PAYLOAD, SPAN)))
        self.tell(r, *tellers, dialect=vercel, parent=above.span)

    def asked_of_bedrock(self) -> None:
        """The client leaves the cache out of the input, the gateway has it within."""
        self.tell(self.request(model=BEDROCK), GENERAL, SPAN, dialect=bedrock)

    def told_by_litellms_spans(self) -> None:
        """Its callback's span, and below it what it sent on."""
        r = self.request(who=self.owned(), model=self.rng.choice((GPT, MINI, CLAUDE, GEMINI)))
        name, scope, attributes = litellm_span(r)
        attributes["metadata.user_api_key_user_id"] = r.who.owner
        self.deliver("otel", a_span(r, name, attributes, scope=scope), r.at)
        raw = {"llm.openai.model": r.model.name, "llm.openai.usage": "{'prompt_tokens': 1}"}
        below = replace(r, span=f"{self.rng.getrandbits(64):016x}")
        sent = a_span(below, "raw_gen_ai_request", raw, scope=scope, parent=r.span)
        self.deliver("otel", sent, r.at)
        if self.chance(0.7):
            self.deliver("litellm", payload(r, self.rng), r.at)
            self.expect(r, r.litellm_id, "litellm", user=r.who.user)
        else:  # its span splits neither cache nor reasoning
            plain = (r.inputs, 0, 0, r.outputs, 0)
            told = replace(r, tokens=plain)
            self.expect(told, f"{r.trace}-{r.span}", "otel", user=r.who.user)

    def owned(self) -> Who:
        person = self.rng.choice(self.people)
        return Who(owner=person, user=person)

    def asked_several_at_once(self) -> None:
        """One call to LiteLLM of which two models answer."""
        first = self.request(model=GPT)
        same = {"who": first.who, "session": first.session, "attempt_of": first.id}
        second = self.request(model=self.rng.choice((MINI, CLAUDE)), at=first.at + SECOND, **same)
        for r in (first, second):
            tellers = self.rng.choice(((PAYLOAD,), (ROW,), LITELLMS, (PAYLOAD, SPAN)))
            self.tell(r, *tellers, is_keyed=False)

    def tried_again(self) -> None:
        """Attempts share LiteLLM's call id; its table has but the last."""
        first = self.failure()
        near = 100 * MILLISECOND
        self.tell(first, PAYLOAD, *((GENERAL,) if self.chance(0.3) else ()), early=near)
        at = first.end + self.rng.randrange(SECOND, MINUTE)
        same = {"who": first.who, "session": first.session, "attempt_of": first.id}
        same |= {"model": first.model} if self.chance(0.7) else {}  # or what it falls back to
        if self.chance(0.4):
            again = self.failure(at=at, **same)
            self.tell(again, PAYLOAD)
            at = again.end + SECOND
        if self.chance(0.3):
            last = self.failure(at=at, **same)
            self.tell(
                last, *self.rng.choice(((PAYLOAD,), LITELLMS, (PAYLOAD, GENERAL))), early=near
            )
        else:  # a gateway in front of LiteLLM may see but one request, from the first try on
            last = self.request(at=at, **same)
            tellers = self.rng.choice(((PAYLOAD,), LITELLMS, (PAYLOAD, GENERAL), (PAYLOAD, SPAN)))
            self.tell(last, *tellers, early=self.rng.choice((near, at - first.at)))

    def failed(self) -> None:
        """Nothing came of it, and nothing is charged."""
        tellers = self.rng.choice(((PAYLOAD, ROW), (ROW,), (GENERAL,), (SPAN,), (ROW, GENERAL)))
        r = self.failure()
        if tellers == (GENERAL,) and self.chance(0.5):
            r = replace(r, tokens=(0, 0, 0, 0, 0))  # as some say it
        row = self.rng.choice(("new", "old"))
        self.tell(r, *tellers, dialect=self.rng.choice(WITNESSING), row=row)

    def client_went_away(self) -> None:
        """A failure that told what it used."""
        r = self.request(error="ClientDisconnect")
        self.tell(r, *self.rng.choice(((PAYLOAD,), (GENERAL,), (SPAN,), (GENERAL, SPAN))))

    def broke_off(self) -> None:
        """A stream that ended after its first token, with no word of usage."""
        r = self.request(error="APIConnectionError", tokens=None)
        r = replace(r, first_token=(r.at + r.end) // 2)
        tellers = ((GENERAL,), (SPAN,), (GENERAL, SPAN), (PAYLOAD,), LITELLMS)
        self.tell(r, *self.rng.choice(tellers))

    def given_up_by_the_client(self) -> None:
        """It went while the answer was streamed; the gateway knows what it came to."""
        r = self.request(who=self.owned())
        teller = self.rng.choice((PAYLOAD, GENERAL))
        self.tell(r, teller)
        self.truth[-1] = replace(self.truth[-1], conflicting_deliveries=1)
        name, scope, attributes = new_names(replace(r, tokens=None))
        attributes |= {"error.type": "CancelledError", "gen_ai.response.model": r.model.name}
        self.deliver("otel", a_span(r, name, attributes, scope=scope), r.at, again=0)

    def told_no_usage(self) -> None:
        """Streams often tell none."""
        r = self.request(tokens=None)
        self.tell(r, *self.rng.choice(((GENERAL,), (SPAN,), (GENERAL, SPAN))))

    def told_usage_by_the_client_alone(self) -> None:
        self.tell(self.request(), GENERAL, SPAN, silent=[GENERAL])

    def cached_by_the_gateway(self) -> None:
        """Asked twice; the second answer bears the first one's id, and is free."""
        r = self.request(first_token=None)
        in_litellm = self.chance(0.6)
        in_front = in_litellm and self.chance(0.4)  # another gateway, which has the cache
        self.tell(r, PAYLOAD if in_litellm else GENERAL, *(() if in_front else (SPAN,)))
        at = r.end + self.rng.randrange(SECOND, 5 * MINUTE)
        told = {"tokens": r.tokens, "response_id": r.response_id, "first_token": None}
        hit = self.request(model=r.model, at=at, is_cache_hit=True, **told)
        litellms = self.rng.choice(((PAYLOAD,), (ROW,), (PAYLOAD, ROW)))
        self.tell(hit, *(litellms if in_litellm and not in_front else (GENERAL,)))

    def share_an_id_with_strangers(self) -> None:
        """Ollama has 999 different ids for its answers."""
        shared, at = f"chatcmpl-{self.rng.randrange(1, 1000)}", self.time()
        for _ in range(self.rng.randrange(2, 4)):
            r = self.request(model=LLAMA, at=at, response_id=shared)
            self.tell(r, *self.rng.choice(((SPAN,), (GENERAL,), (GENERAL, SPAN), (PAYLOAD, SPAN))))
            at += self.rng.randrange(MINUTE, 5 * MINUTE)

    def share_an_id_and_a_size_with_strangers(self) -> None:
        """What began at another time, asked another model, or is of one teller, is not the same."""
        shared, tokens = f"chatcmpl-{self.rng.randrange(1, 1000)}", self.usage(GPT, plain=True)
        at = FIRST_DAY + self.rng.randrange(HOUR, 2 * DAY)
        models, tellers, apart = self.rng.choice(
            (
                ((LLAMA, LLAMA), self.rng.sample((SPAN, GENERAL, PAYLOAD), 2), 11 * MINUTE),
                ((LLAMA, LLAMA), self.rng.sample((SPAN, GENERAL, PAYLOAD), 2), DAY),
                ((GPT, MINI), self.rng.sample((SPAN, GENERAL, PAYLOAD), 2), SECOND),
                ((LLAMA, CLAUDE), self.rng.sample((SPAN, GENERAL, PAYLOAD), 2), SECOND),
                ((GPT, AZURE), self.rng.sample((GENERAL, PAYLOAD), 2), SECOND),
                ((LLAMA, LLAMA), [self.rng.choice((SPAN, GENERAL, PAYLOAD))] * 2, SECOND),
            )
        )
        for model, teller in zip(models, tellers, strict=True):
            self.tell(self.request(model=model, at=at, response_id=shared, tokens=tokens), teller)
            at += apart

    def have_no_id(self) -> None:
        """Some libraries write None for it."""
        at, nothing = self.time(), self.rng.choice(("None", "null", "unknown"))
        tokens = self.usage(GPT)
        for teller in (SPAN, SPAN, GENERAL, PAYLOAD):
            self.tell(self.request(model=GPT, at=at, response_id=nothing, tokens=tokens), teller)
            at += SECOND

    def asked_in_a_batch(self) -> None:
        """All its calls bear its name; LiteLLM polls for it, and bills it in one row."""
        batch, at = f"batch_s{self.seed}_{self.made}", self.time()
        who = self.owned()
        if self.chance(0.5):
            tokens = self.usage(MINI)
            for _ in range(3):
                r = self.request(model=MINI, at=at, response_id=batch, who=who, tokens=tokens)
                self.tell(r, SPAN)
                at += self.rng.randrange(SECOND)
            return
        for i in range(2):
            poll = self.request(model=MINI, at=at + i * MINUTE, tokens=(0, 0, 0, 0, 0), who=who)
            row = table_row(replace(poll, response_id=f"{batch}{i}"), self.rng, "old")
            row |= {"call_type": "aretrieve_batch"}
            self.counts["aretrieve_batch"] += self.deliver("litellm", row, poll.at)
        r = self.request(model=MINI, at=at + HOUR // 2, who=who, first_token=None)
        # Of OpenAI a batch costs half.
        halved = MINI._replace(prices=tuple(price // 2 for price in MINI.prices))
        r = replace(r, model=halved, tokens=self.usage(MINI, plain=True))
        row = table_row(replace(r, response_id=f"{batch}_batch_cost"), self.rng, "old")
        self.deliver("litellm", row | {"call_type": "aretrieve_batch"}, r.at)
        self.expect(r, f"{batch}_batch_cost", "litellm", user=who.user)

    def corrected(self) -> None:
        """A record that comes again with other figures."""
        r = self.request()
        wrong = replace(r, tokens=(r.tokens[0] + 7, *r.tokens[1:]))
        if self.chance(0.3):
            wrong = replace(r, model=GPT if r.model is MINI else MINI)
        if self.chance(0.3):  # the later file
            first = max((r.at - FIRST_DAY) // DAY, 0) * FILES_A_NIGHT
            early, late = sorted(self.rng.sample(range(first, len(NIGHTS) * FILES_A_NIGHT), 2))
            self.deliveries.append(Delivery(early, "gateway", general(wrong)))
            self.deliveries.append(Delivery(late, "gateway", general(r)))
            conflicts = 1
        else:  # the record that was updated later, whichever comes first
            updated = {"updated_at": (r.end + HOUR) / SECOND}
            before = self.rng.choice(({}, {"updated_at": (r.end + MINUTE) / SECOND}))
            conflicts = self.deliver("gateway", general(wrong, **before), r.at, again=0.4)
            self.deliver("gateway", general(r, **updated), r.at, again=0.4)
        if self.chance(0.4):
            self.deliver_span(r, old_names, names_user=False)
        self.expect(
            r,
            r.general_id,
            "gateway",
            user=r.who.user,
            end_user=r.who.end_user,
            conflicts=conflicts,
        )

    def settled(self) -> None:
        """LiteLLM settles a row of its table afterwards, as its payload does not know."""
        r = self.request()
        before = replace(r, tokens=(*r.tokens[:3], r.tokens[3] + 11, r.tokens[4]))
        row = table_row(r, self.rng) | {"updated_at": json_time(r.end + HOUR)}
        self.deliver("litellm", row, r.at)
        conflicts = self.deliver("litellm", table_row(before, self.rng), r.at)
        if self.chance(0.5):
            conflicts += self.deliver("litellm", payload(before, self.rng), r.at)
        self.expect_of_litellm(r, conflicts)

    def charged_for_the_time_being(self) -> None:
        """A payload may say that its cost is not final, and another one that it is."""
        r = self.request()
        before = replace(r, tokens=(*r.tokens[:3], r.tokens[3] + 11, r.tokens[4]))
        final, provisional = (payload(one, self.rng) for one in (r, before))
        self.deliver("litellm", final | {"cost_finalized": True}, r.at)
        provisional |= {"cost_finalized": False}
        self.expect_of_litellm(r, self.deliver("litellm", provisional, r.at))

    def expect_of_litellm(self, r: Request, conflicts: int) -> None:
        who = r.who
        self.expect(
            r, r.litellm_id, "litellm", user=who.user, end_user=who.end_user, conflicts=conflicts
        )

    def asked_by_an_agent(self) -> None:
        """The agent's span is the sum of its chats, or more; each may come in another night."""
        at, model, who = self.time(), self.rng.choice((GPT, MINI, GEMINI)), self.owned()
        agent = self.request(model=model, at=at, who=who, response_id=None, first_token=None)
        chats = []
        for _ in range(self.rng.randrange(1, 4)):
            at += self.rng.randrange(SECOND, MINUTE)
            chat = self.request(model=model, at=at, who=who, session=agent.session)
            chats.append(replace(chat, trace=agent.trace))
        inputs, outputs = (sum(getattr(c, side) for c in chats) for side in ("inputs", "outputs"))
        beyond = self.rng.randrange(1, 500) if self.chance(0.4) else 0
        self.counts["tokens_only_in_parents"] += beyond
        agent = replace(agent, end=max(c.end for c in chats))
        name, scope, attributes = new_names(replace(agent, tokens=(inputs, 0, 0, outputs, 0)))
        attributes |= {
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.usage.output_tokens": outputs + beyond,
            "user.id": who.user,
        }
        told = a_span(agent, name, attributes, scope=scope)
        self.counts["invoke_agent"] += self.deliver("otel", told, agent.at)
        for chat in chats:
            parent = agent.span
            if self.chance(0.4):  # its library has a span above that says the same, or nothing
                wrapper = replace(chat, span=f"{self.rng.getrandbits(64):016x}", response_id=None)
                wrapper = replace(wrapper, tokens=chat.tokens if self.chance(0.6) else None)
                name, scope, attributes = new_names(wrapper)
                attributes["gen_ai.operation.name"] = None
                above = a_span(wrapper, "call_llm", attributes, scope=scope, parent=parent)
                self.counts["span"] += self.deliver("otel", above, chat.at)
                parent = wrapper.span
            tellers = self.rng.choice(((SPAN,), (GENERAL, SPAN), (PAYLOAD, SPAN)))
            dialect = self.rng.choice((new_names, old_names))
            self.tell(chat, *tellers, dialect=dialect, parent=parent)

    def asked_for_several_in_one_trace(self) -> None:
        """Each is whose the span above it says."""
        at, trace = self.time(), f"{self.rng.getrandbits(128):032x}"
        for person in self.rng.sample(self.people, 2):
            who = Who(owner=person, user=person)
            r = self.request(at=at, who=who, response_id=None, tokens=self.usage(GPT), model=GPT)
            r = replace(r, trace=trace)
            above = replace(r, span=f"{self.rng.getrandbits(64):016x}")
            handled = a_span(above, "handle_request", {"user.id": person}, early=SECOND)
            self.deliver("otel", handled, at)
            name, scope, attributes = new_names(r)
            told = a_span(r, name, attributes, scope=scope, parent=above.span)
            self.deliver("otel", told, at)
            self.expect(r, f"{trace}-{r.span}", "otel", user=person)
            at += MINUTE

    def asked_by_an_agent_that_alone_tells(self) -> None:
        r = self.request(response_id=None, first_token=None, who=self.owned(), model=GPT)
        name, scope, attributes = new_names(r)
        attributes |= {"gen_ai.operation.name": "invoke_agent", "user.id": r.who.user}
        self.deliver("otel", a_span(r, name, attributes, scope=scope), r.at)
        tool = replace(r, span=f"{self.rng.getrandbits(64):016x}")
        used = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "search"}
        below = a_span(tool, "execute_tool search", used, scope=scope, parent=r.span)
        self.counts["execute_tool"] += self.deliver("otel", below, r.at)
        if self.chance(0.4):  # a stream, of which the agent tells what it used
            stream = replace(r, span=f"{self.rng.getrandbits(64):016x}", tokens=None)
            name, scope, attributes = new_names(stream)
            below = a_span(stream, name, attributes, scope=scope, parent=r.span)
            self.counts["chat"] += self.deliver("otel", below, r.at)
        if self.chance(0.3):  # a try that failed is one nevertheless
            failure = replace(self.failure(model=GPT, at=r.at, who=r.who), trace=r.trace)
            self.tell(failure, SPAN, parent=r.span)
        self.expect(r, f"{r.trace}-{r.span}", "otel", user=r.who.user)

    def asked_by_a_service(self) -> None:
        """A key with an alias and no owner."""
        alias = f"ci-bot-s{self.seed}"
        who = Who(alias=alias, user=f"(service) {alias}")
        tellers = self.rng.choice(((PAYLOAD,), (ROW,), (PAYLOAD, ROW), (PAYLOAD, SPAN)))
        self.tell(self.request(who=who), *tellers)

    def asked_by_nobody(self) -> None:
        """LiteLLM asks whether a model is well; and who has a name but no id is not known."""
        health = Who(owner=HEALTH_CHECK, user="(health check)")
        self.tell(self.request(who=health), *self.rng.choice((LITELLMS, (ROW,))))
        self.tell(self.request(who=Who(name="Bob")), GENERAL)

    def did_something_else(self) -> None:
        """LiteLLM notes down more than calls."""
        calls = ("call_mcp_tool", "acreate_file", "acreate_batch", "acount_tokens")
        r = self.request(tokens=(0, 0, 0, 0, 0))
        call_type = self.rng.choice(calls)
        row = table_row(r, self.rng) | {"call_type": call_type}
        self.counts[call_type] += self.deliver("litellm", row, r.at)

    def asked_at_midnight(self) -> None:
        """The client's clock says yesterday."""
        midnight = FIRST_DAY + self.rng.randrange(1, 3) * DAY
        r = self.request(at=midnight + self.rng.randrange(300 * MILLISECOND))
        tellers = self.rng.choice(((PAYLOAD, SPAN), (ROW, SPAN), (GENERAL, SPAN)))
        self.tell(r, *tellers, early=self.rng.randrange(301 * MILLISECOND, 2 * SECOND))

    def told_of_parts_larger_than_wholes(self) -> None:
        """A sender whose parts stand within: they are cut."""
        r = self.request(model=O3)
        r = replace(r, tokens=(*r.tokens[:3], 0, r.outputs))
        told = replace(r, tokens=(*r.tokens[:3], -22, r.outputs + 22))
        name, scope, attributes = old_names(told)
        attributes["user.id"] = r.who.user
        self.deliver("otel", a_span(r, name, attributes, scope=scope), r.at, again=0)
        self.counts["parts_cut"] += 1
        self.expect(r, f"{r.trace}-{r.span}", "otel", user=r.who.user)

    def use_one_id_for_two(self) -> None:
        """Another gateway's request bears the id of a call that LiteLLM knows, hours before."""
        r = self.request()
        self.deliver("litellm", table_row(r, self.rng, is_keyed_by_call=True), r.at)
        self.expect(r, r.call_id, "litellm", user=r.who.user, end_user=r.who.end_user)
        other = self.request(at=r.at + 2 * HOUR if r.at < FIRST_DAY + 2 * DAY else r.at - 2 * HOUR)
        self.deliver("gateway", general(other, request_id=r.call_id), other.at)
        name, who = f"{r.call_id}/gateway", other.who
        self.expect(other, name, "gateway", user=who.user, end_user=who.end_user)


HAPPENINGS: dict[Callable[[Story], None], int] = {
    Story.asked: 8,
    Story.asked_when_rows_told_less: 1,
    Story.asked_with_nothing_told_of_the_answers_id: 2,
    Story.asked_of_bedrock: 1,
    Story.asked_through_vercels_sdk: 1,
    Story.told_by_litellms_spans: 1,
    Story.asked_several_at_once: 1,
    Story.tried_again: 2,
    Story.failed: 1,
    Story.client_went_away: 1,
    Story.broke_off: 1,
    Story.given_up_by_the_client: 1,
    Story.told_no_usage: 1,
    Story.told_usage_by_the_client_alone: 1,
    Story.cached_by_the_gateway: 1,
    Story.share_an_id_with_strangers: 1,
    Story.share_an_id_and_a_size_with_strangers: 1,
    Story.have_no_id: 1,
    Story.asked_in_a_batch: 1,
    Story.corrected: 2,
    Story.settled: 1,
    Story.charged_for_the_time_being: 1,
    Story.asked_by_an_agent: 3,
    Story.asked_for_several_in_one_trace: 1,
    Story.asked_by_an_agent_that_alone_tells: 1,
    Story.asked_by_a_service: 1,
    Story.asked_by_nobody: 1,
    Story.did_something_else: 1,
    Story.asked_at_midnight: 1,
    Story.told_of_parts_larger_than_wholes: 1,
    Story.use_one_id_for_two: 1,
}


# --- Landing ---


def csv_text(records: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    columns = {name: None for record in records for name in record}
    writer = csv.DictWriter(text, fieldnames=list(columns))
    writer.writeheader()
    writer.writerows(records)
    return text.getvalue()


def land(landing: Path, stories: Iterable[Story], *nights: int) -> None:
    """Write what lands in these nights, all seeds' side by side, at the times of those nights."""
    files: dict[tuple[str, int], list[dict[str, Any]]] = defaultdict(list)
    for story in stories:
        for delivery in story.deliveries:
            if delivery.night in nights:
                files[delivery.source, delivery.file].append(delivery.record)
    for (source, number), records in files.items():
        as_csv = source == "gateway" and number % FILES_A_NIGHT == 1
        name = number * 5 % (len(NIGHTS) * FILES_A_NIGHT)  # in no order
        path = landing / source / f"{name}.{'csv' if as_csv else 'jsonl'}"
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = "".join(json.dumps(record) + "\n" for record in records)
        path.write_text(csv_text(records) if as_csv else lines, encoding="utf-8")
        night, part = divmod(number, FILES_A_NIGHT)
        at = (FIRST_DAY + (night + 1) * DAY + 3 * HOUR + part * 10 * MINUTE) // SECOND
        os.utime(path, (at, at))


def main() -> None:
    """Land one seed, and print the truth about it."""
    parser = argparse.ArgumentParser(description="Land what overlapping senders tell.")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--landing", type=Path, required=True)
    arguments = parser.parse_args()
    story = Story(arguments.seed)
    land(arguments.landing, [story], *NIGHTS)
    for truth in sorted(story.truth, key=lambda one: one.requested_at):
        sys.stdout.write(f"{truth}\n")
    sys.stdout.write(f"{dict(story.counts)}\n")


if __name__ == "__main__":
    main()
