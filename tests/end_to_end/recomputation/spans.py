"""Spans: which of those that are nested is the request, and what each tells."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from recomputation.events import Event
from recomputation.names import model_name, provider_name, region_name, service_tier
from recomputation.tokens import BESIDE, WITHIN, Told, disjoint
from recomputation.values import (
    EPOCH,
    MICROSECOND,
    Row,
    after,
    count,
    first,
    identifier,
    money,
    text,
)
from recomputation.who import user_of

# Under which names senders tell the same, the surest first.
INPUTS = ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt")
INPUTS += ("ai.usage.inputTokens", "ai.usage.promptTokens", "llm.usage.prompt_tokens")
OUTPUTS = ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens")
OUTPUTS += ("llm.token_count.completion", "ai.usage.outputTokens", "ai.usage.completionTokens")
OUTPUTS += ("llm.usage.completion_tokens",)
READ = ("gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_read_input_tokens")
READ += ("gen_ai.usage.input_tokens.cached", "llm.token_count.prompt_details.cache_read")
READ += ("ai.usage.cachedInputTokens", "gen_ai.usage.cache_read_tokens")
WRITE = ("gen_ai.usage.cache_write.input_tokens", "gen_ai.usage.cache_creation.input_tokens")
WRITE += ("gen_ai.usage.cache_creation_input_tokens",)
WRITE += ("llm.token_count.prompt_details.cache_write",)
THOUGHT = ("gen_ai.usage.reasoning.output_tokens", "gen_ai.usage.reasoning_tokens")
THOUGHT += ("gen_ai.usage.output_tokens.reasoning", "ai.usage.reasoningTokens")
THOUGHT += ("llm.token_count.completion_details.reasoning",)
THOUGHT_BESIDE = "gen_ai.usage.experimental.reasoning_tokens"
THOUGHT += (THOUGHT_BESIDE,)
THOUGHT_WITHIN = ("gen_ai.usage.reasoning.output_tokens", "gen_ai.usage.output_tokens.reasoning")
THOUGHT_WITHIN += ("llm.token_count.completion_details.reasoning",)
TOTAL = ("gen_ai.usage.total_tokens", "llm.token_count.total", "llm.usage.total_tokens")
TOTAL += ("ai.usage.totalTokens",)
ANSWERED = ("gen_ai.response.model", "ai.response.model", "llm.model_name")
ASKED = ("gen_ai.request.model", "ai.model.id", "llm.request.model")
PROVIDER = ("gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system")
PROVIDER += ("ai.model.provider",)
USER = ("user.account_uuid", "metadata.user_api_key_user_id", "user.id", "enduser.id")
USER += ("langfuse.user.id",)
USER += ("mlflow.trace.user", "traceloop.association.properties.user_id")
USER += ("ai.telemetry.metadata.userId", "user.email")
END_USER = ("metadata.user_api_key_end_user_id", "gen_ai.user", "llm.user")
TEAM = ("team.id", "metadata.user_api_key_team_id", "litellm.metadata.user_api_key_team_id")
TEAM += ("litellm.team.id", "traceloop.association.properties.team_id")
USER_NAME = ("user.full_name", "user.name", "user.email")
OPERATION = ("gen_ai.operation.name", "llm.request.type", "openinference.span.kind")
OPERATION += ("ai.operationId", "traceloop.span.kind")
SESSION = ("session.id", "gen_ai.conversation.id", "langfuse.session.id", "mlflow.trace.session")
SESSION += ("traceloop.association.properties.session_id", "ai.telemetry.metadata.sessionId")
SESSION += ("gcp.vertex.agent.session_id",)
COST = ("gen_ai.cost.total_cost", "gen_ai.usage.total_cost", "gen_ai.usage.cost", "operation.cost")
COST += ("llm.cost.total",)
CALL_ID = ("litellm_call_id", "litellm.call_id", "metadata.litellm_call_id")

USAGE, DETAILS = "gen_ai.usage.", "gen_ai.usage.details."
FINER_NAMES = {
    "cache_write_5m": (USAGE + "cache_creation.ephemeral_5m_input_tokens",),
    "cache_write_1h": (
        USAGE + "cache_creation.ephemeral_1h_input_tokens",
        DETAILS + "ephemeral_1h_input_tokens",
    ),
    "input_audio": (
        USAGE + "audio.input_tokens",
        DETAILS + "input_audio_tokens",
        "llm.token_count.prompt_details.audio",
    ),
    "cache_audio_read": (
        USAGE + "audio.cache_read.input_tokens",
        DETAILS + "cache_audio_read_tokens",
    ),
    "input_image": (USAGE + "image.input_tokens",),
    "input_video": (USAGE + "input_tokens.video",),
    "output_audio": (
        USAGE + "audio.output_tokens",
        DETAILS + "output_audio_tokens",
        "llm.token_count.completion_details.audio",
    ),
    "output_image": (USAGE + "image.output_tokens", USAGE + "output_tokens.image"),
}
TIER = ("openai.response.service_tier", "gen_ai.openai.response.service_tier")
TIER += ("gen_ai.response.service_tier", "gen_ai.anthropic.service_tier")
TIER += ("openai.request.service_tier", "gen_ai.openai.request.service_tier")
WEB_SEARCHES = (USAGE + "server_tool_use.web_search_requests", USAGE + "web_search_requests")
WEB_SEARCHES += (DETAILS + "web_search_requests",)

CLAUDE_CODE = "com.anthropic.claude_code"
BY_CONVENTION = ("opentelemetry.util.genai", "litellm", "openrouter", "openinference.")
# What the input leaves out, by instrumentation and by the names in which it is told.
CACHE_BESIDE = ("opentelemetry.instrumentation.bedrock",)
CACHE_WITHIN = (READ[0], WRITE[0], WRITE[1], "gen_ai.usage.input_tokens.cached")
CACHE_WITHIN_SCOPES = (*BY_CONVENTION, "opentelemetry.instrumentation.anthropic")
FAILED = ("2", "STATUS_CODE_ERROR")
# Never a request; and a sum of requests, unless it alone tells usage.
NOTHING = re.compile(r"(execute_)?tool$|retrieval$|evaluation$|guardrail$", re.IGNORECASE)
SUM = re.compile(r".*(agent|workflow|chain|task|team|plan$)", re.IGNORECASE)


@dataclass
class Span:
    """A span as it landed; `own` are its attributes as text."""

    landed: Row
    trace: str
    id: str
    parent: str | None
    name: str
    scope: str
    start: datetime
    end: datetime
    has_failed: bool
    chunks: list[int]
    own: Row
    resource: Row
    ancestors: list["Span"] = field(default_factory=list)  # the nearest first
    below: list["Span"] = field(default_factory=list)

    def known(self, *names: str) -> str | None:
        """The first of these names that is given."""
        return first(*(self.own.get(name) for name in names))

    def known_around(self, *names: str) -> str | None:
        """On the span, else on the nearest span above, else on the resource."""
        around = [self.own, *(span.own for span in self.ancestors), self.resource]
        return first(*(of.get(name) for of in around for name in names))

    @property
    def operation(self) -> str | None:
        return self.known(*OPERATION)

    @property
    def model(self) -> str | None:
        return self.known(*ANSWERED, *ASKED)

    @property
    def failed(self) -> bool:
        return self.has_failed or "error.type" in self.own

    @property
    def provider(self) -> str | None:
        return provider_name(self.known(*PROVIDER), self.model)

    @property
    def is_claude_code(self) -> bool:
        return self.scope.startswith(CLAUDE_CODE)

    @cached_property
    def told(self) -> Told:
        bare = self.is_claude_code
        return Told(
            count(self.known(*INPUTS, *(["input_tokens"] if bare else []))),
            count(self.known(*READ, *(["cache_read_tokens"] if bare else []))),
            count(self.known(*WRITE, *(["cache_creation_tokens"] if bare else []))),
            count(self.known(*OUTPUTS, *(["output_tokens"] if bare else []))),
            count(self.known(*THOUGHT)),
            count(self.known(*TOTAL)),
            BESIDE if self.leaves_cache_out else WITHIN,
            BESIDE if self.leaves_thoughts_out else WITHIN,
        )

    @property
    def leaves_cache_out(self) -> bool:
        """As Anthropic's and Bedrock's own counts do; the conventions' names do not."""
        if self.is_claude_code or self.scope in CACHE_BESIDE:
            return True
        is_by_convention = self.known(*CACHE_WITHIN) or self.scope.startswith(CACHE_WITHIN_SCOPES)
        return self.provider in ("anthropic", "aws") and not is_by_convention

    @property
    def leaves_thoughts_out(self) -> bool:
        """As xAI's own counts do, and Google's, but in the names of the conventions."""
        if self.scope.startswith(BY_CONVENTION):
            return False
        if self.provider == "x-ai" or self.known(THOUGHT_BESIDE):
            return True
        return self.provider == "google" and not self.known(*THOUGHT_WITHIN)

    @cached_property
    def total(self) -> int:
        return sum(disjoint(self.told)[0] or [0])

    @property
    def is_genai(self) -> bool:
        tells_usage = disjoint(self.told)[0] is not None
        return bool(self.known("gen_ai.operation.name") or self.model or tells_usage)

    @property
    def tells_tokens(self) -> bool:
        return self.total > 0 and not NOTHING.match(self.operation or "")

    @property
    def is_call(self) -> bool:
        """Whether it is one even where it tells no usage."""
        operation = self.operation or ""
        is_other = NOTHING.match(operation) or SUM.match(operation)
        return self.model is not None and not is_other

    def nearest_below(self) -> Iterator["Span"]:
        """The nearest spans below that tell tokens."""
        for span in self.below:
            if span.tells_tokens:
                yield span
            else:
                yield from span.nearest_below()

    def all_below(self) -> Iterator["Span"]:
        for span in self.below:
            yield span
            yield from span.all_below()

    @property
    def is_innermost(self) -> bool:
        return self.tells_tokens and not any(span.tells_tokens for span in self.all_below())

    @property
    def is_request(self) -> bool:
        """Of those that tell tokens the innermost; and a call of which nobody tells any."""
        if self.tells_tokens:
            return self.is_innermost
        has_others_below = any(span.tells_tokens or span.is_call for span in self.all_below())
        is_told_above = any(span.is_innermost for span in self.ancestors)
        return self.is_call and not has_others_below and (self.failed or not is_told_above)

    @property
    def only_here(self) -> int:
        """Tokens of a parent that its children do not tell."""
        below = [span.total for span in self.nearest_below()]
        return max(self.total - sum(below), 0) if self.tells_tokens and below else 0

    @property
    def owner(self) -> tuple[str, str | None] | None:
        """Whom it names, and under which name: a name without an id names nobody."""
        return owner_in(self.own, is_claude_code=self.is_claude_code)


def owner_in(attributes: Row, *, is_claude_code: bool) -> tuple[str, str | None] | None:
    names = (USER[0], "user.email", *USER[1:]) if is_claude_code else USER
    owner = first(*(attributes.get(name) for name in names))
    name = first(*(attributes.get(name) for name in USER_NAME))
    return (owner, None if name == owner else name) if owner else None


def values(attributes: Iterable[Row]) -> Row:
    return {one["key"]: text(next(iter(one["value"].values()), None)) for one in attributes}


def spans_of(batch: Row, landed: Row) -> Iterator[Span]:
    """The spans of an export batch."""
    for resource in batch["resourceSpans"]:
        of_resource = values(resource.get("resource", {}).get("attributes", []))
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                start, end = (int(span[f"{name}TimeUnixNano"]) for name in ("start", "end"))
                yield Span(
                    landed={**landed, "text": repr(span)},
                    trace=span["traceId"],
                    id=span["spanId"],
                    parent=text(span.get("parentSpanId")),
                    name=span.get("name", ""),
                    scope=scope.get("scope", {}).get("name", ""),
                    start=EPOCH + start // 1000 * MICROSECOND,
                    end=EPOCH + end // 1000 * MICROSECOND,
                    has_failed=str(span.get("status", {}).get("code")) in FAILED,
                    chunks=[
                        int(event["timeUnixNano"]) - start
                        for event in span.get("events", [])
                        if event["name"] == "gen_ai.content.completion.chunk"
                    ],
                    own=values(span.get("attributes", [])),
                    resource=of_resource,
                )


def nest(spans: list[Span]) -> None:
    """Tell each span which are above and below it, however late and often they came."""
    by_id: dict[tuple[str, str], Span] = {}
    for span in sorted(spans, key=lambda one: (one.landed["landed_at"], one.landed["text"])):
        by_id[span.trace, span.id] = span
    below: dict[tuple[str, str], list[Span]] = defaultdict(list)
    for span in by_id.values():
        if span.parent:
            below[span.trace, span.parent].append(span)
    for span in spans:
        span.below = below[span.trace, span.id]
        above = by_id.get((span.trace, span.parent))
        while above and above not in span.ancestors:
            span.ancestors.append(above)
            above = by_id.get((above.trace, above.parent))


def told_but_once(told: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """By trace: what its spans tell, if they tell but one."""
    by_trace = defaultdict(set)
    for trace, value in told:
        if value is not None:
            by_trace[trace].add(value)
    return {trace: values.pop() for trace, values in by_trace.items() if len(values) == 1}


def otel_events(spans: list[Span], gateways: Iterable[str]) -> Iterator[Event]:
    """The events that spans are. Those about something else only say whose the others are."""
    nest(spans)
    owners = told_but_once((span.trace, (span.owner or [None])[0]) for span in spans)
    sessions = told_but_once((span.trace, span.known(*SESSION)) for span in spans)
    for span in spans:
        if span.is_genai:
            yield otel_event(span, gateways, owners.get(span.trace), sessions.get(span.trace))


def otel_event(
    span: Span, gateways: Iterable[str], owner_of_trace: str | None, session_of_trace: str | None
) -> Event:
    known = span.known
    wait = known("gen_ai.response.time_to_first_chunk")
    wait_ms = float(wait) * 1000 if wait else min(span.chunks) / 10**6 if span.chunks else None
    base = known("gen_ai.openai.api_base")
    address = f"{known('server.address')}:{known('server.port')}"
    if not known("server.address") and base:
        address = base.partition("://")[2].partition("/")[0]
    tokens, is_part_cut = disjoint(span.told)
    response_id = identifier(known("gen_ai.response.id", "ai.response.id"))
    owner, user_name = first(
        *(one.owner for one in (span, *span.ancestors)),
        owner_in(span.resource, is_claude_code=False),
        (owner_of_trace, None),
    )
    end_user = first(*(one.known(*END_USER) for one in (span, *span.ancestors)))
    user = user_of(owner, end_user, None, None)
    return Event(
        source="otel",
        teller=f"span {span.scope}",
        call_id=f"{span.trace}-{span.id}",
        response_id=response_id,
        witnesses=frozenset({response_id, identifier(known(*CALL_ID))} - {None}),
        prompt_id=span.trace,
        session_id=span.known_around(*SESSION) or session_of_trace,
        user_id=user,
        user_name=user_name if owner and user == owner else None,
        end_user_id=end_user,
        team_id=span.known_around(*TEAM),
        provider=span.provider,
        model=model_name(span.provider, span.model),
        asked=frozenset({known(*ASKED)} - {None}),
        status="failure" if span.failed else "success",
        error_type=known("error.type") if span.failed else None,
        is_cache_hit=False,
        tokens=tokens,
        finer={meter: count(known(*names)) for meter, names in FINER_NAMES.items()},
        is_part_cut=is_part_cut,
        web_searches=count(known(*WEB_SEARCHES)),
        service_tier=service_tier(known(*TIER)),
        region=region_name(known("gen_ai.anthropic.inference_geo"), span.provider, span.model),
        is_sum_of_calls=bool(SUM.match(span.operation or "")),
        reported_cost_usd=money(known(*COST)),
        requested_at=span.start,
        first_token_at=after(span.start, wait_ms),
        completed_at=span.end,
        left_out_as=None if span.is_request else span.operation or "span",
        is_client_view=address in gateways,
        tokens_only_in_parents=span.only_here,
        **span.landed,
    )
