"""The simulator: its files against its own totals, counted here a second time and simply."""

import csv
import gzip
import io
import json
from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from backports import zstd
from conftest import HOSTILE, hostile_people

from examples.delivery import GROUP, SOURCES
from examples.formats import PROMPT_TEXT
from examples.organisation import HALVES, METERS, TIERS
from examples.simulator import simulate

DAYS, USERS, LAST_DAY = 42, 14, date(2026, 11, 21)
TOKENS = ("input_uncached_tokens", "cache_read_tokens", "cache_write_tokens")
TOKENS += ("output_tokens_without_reasoning", "reasoning_tokens")
TOLD = (*TOKENS, *(f"{meter}_tokens" for meter in METERS), "web_searches")
Event = tuple[str, dict[str, Any]]  # the file's day, the event


@pytest.fixture(scope="module")
def organisation(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """Simulate once for all tests: the directory of `landing` and `truth`, overall totals."""
    root = tmp_path_factory.mktemp("organisation")
    with hostile_people():
        overall = simulate(
            root / "landing",
            truth=root / "truth",
            days=DAYS,
            users=USERS,
            seed=7,
            last_day=LAST_DAY,
        )
    return root, overall


def text_of(path: Path) -> str:
    """Return a landing file's text, whatever it is packed in."""
    content = path.read_bytes()
    if path.suffix == ".gz":
        content = gzip.decompress(content)
    elif path.suffix == ".zst":
        content = zstd.decompress(content)
    return content.decode()


def delivered(root: Path, source: str) -> list[Event]:
    """Read every event of a source as delivered, duplicates and parent spans included."""
    events: list[Event] = []
    for path in sorted((root / "landing" / source).iterdir()):
        text, day = text_of(path), path.name[:10]
        if ".csv" in path.name:
            records: list[dict[str, Any]] = list(csv.DictReader(io.StringIO(text)))
        else:
            records = [json.loads(line) for line in text.splitlines()]
        if source == "otel":
            records = [
                span
                for record in records
                for scope in record["resourceSpans"][0]["scopeSpans"]
                for span in scope["spans"]
            ]
        events += [(day, record) for record in records]
    return events


def attributes(span: dict[str, Any]) -> dict[str, Any]:
    """Return a span's attributes as name and value; OTLP's 64-bit integers are text."""
    return {
        a["key"]: int(value) if kind == "intValue" else value
        for a in span["attributes"]
        for kind, value in a["value"].items()
    }


def count_litellm(root: Path) -> dict[tuple[str, ...], Counter[str]]:
    """Count LiteLLM's requests and tokens: one per id and start, polls left out."""
    once = {(e["id"], e["startTime"]): e for _, e in delivered(root, "litellm")}
    counts: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
    for e in once.values():
        if e["call_type"] not in ("acompletion", "aembedding"):
            continue
        usage = e["metadata"]["usage_object"]
        read = (usage.get("prompt_tokens_details") or {}).get("cached_tokens", 0)
        write = usage.get("cache_creation_input_tokens", 0)
        of_output = usage.get("completion_tokens_details") or {}
        thought = of_output.get("reasoning_tokens", 0)
        provider, model = e["model"].replace("gemini/", "google/").split("/")
        user, team = (e["metadata"][f"user_api_key_{whose}_id"] for whose in ("user", "team"))
        day = datetime.fromtimestamp(e["startTime"], UTC).date().isoformat()
        tier = e["model_parameters"].get("service_tier", "")
        assert (
            e["status"] == "failure" or (e["cost_breakdown"] or {}).get("service_tier", "") == tier
        )
        c = counts[day, "litellm", user, team, provider, model, tier]
        c["requests"] += 1
        c["failed_requests"] += e["status"] == "failure"
        c["cache_hits"] += e["cache_hit"] is True
        numbers = (e["prompt_tokens"] - read - write, read, write)
        numbers += (e["completion_tokens"] - thought, thought)
        c.update(dict(zip(TOKENS, numbers, strict=True)))
        c["output_image_tokens"] += of_output.get("image_tokens", 0)
        lives = (usage.get("prompt_tokens_details") or {}).get("cache_creation_token_details", {})
        for life in ("5m", "1h"):
            c[f"cache_write_{life}_tokens"] += lives.get(f"ephemeral_{life}_input_tokens", 0)
        c["web_searches"] += usage.get("server_tool_use", {}).get("web_search_requests", 0)
        c["cost"] += int(Decimal(repr(e["response_cost"])) * 10**10)
        c[f"prompt {e['litellm_call_id']}"] = 1
    return counts


def count_otel(root: Path) -> dict[tuple[str, ...], Counter[str]]:
    """Count the spans of providers, one per span id; the rest is LiteLLM's traffic."""
    once = {e["spanId"]: e for _, e in delivered(root, "otel")}
    counts: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
    for e in once.values():
        a = attributes(e)
        if a.get("server.port") != 443:
            continue
        provider = a.get("gen_ai.provider.name", a.get("gen_ai.system"))
        provider = provider.replace("gcp.gemini", "google")
        user, team = (
            attributes(once[e["parentSpanId"]])[f"{id_}.id"] for id_ in ("enduser", "team")
        )
        tiers = {value for name, value in a.items() if name.endswith("service_tier")}
        assert len(tiers) < 2
        tier = "".join(tiers).replace("default", "standard")
        seconds = int(e["startTimeUnixNano"]) // 10**9
        day = datetime.fromtimestamp(seconds, UTC).date().isoformat()
        read, thought = (
            a.get(f"gen_ai.usage.{k}", 0) for k in ("cache_read.input_tokens", "reasoning_tokens")
        )
        c = counts[day, "otel", user, team, provider, a["gen_ai.request.model"], tier]
        c["requests"] += 1
        c["failed_requests"] += "error.type" in a
        assert ("gen_ai.response.id" in a) == ("error.type" not in a)
        c[f"prompt {e['traceId']}"] = 1
        numbers = (a.get("gen_ai.usage.input_tokens", 0) - read, read, 0)
        numbers += (a.get("gen_ai.usage.output_tokens", 0) - thought, thought)
        c.update(dict(zip(TOKENS, numbers, strict=True)))
    return counts


def count_gateway(root: Path) -> dict[tuple[str, ...], Counter[str]]:
    """Count the generic gateway's requests and tokens, one per request id."""
    once = {e["request_id"]: e for _, e in delivered(root, "gateway")}
    counts: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
    for e in once.values():
        at = e["requested_at"]
        day = at[:10] if isinstance(at, str) else str(datetime.fromtimestamp(at, UTC).date())
        kinds = ("input", "cache_read", "cache_write", "output", "reasoning")
        given, read, write, out, thought = (int(e[f"{k}_tokens"]) for k in kinds)
        tier = (e["service_tier"] or "").replace("default", "standard")
        who = e["user_id"], e["team_id"]
        c = counts[day, "gateway", *who, e["provider"], e["model"], tier]
        c.update({f"{meter}_tokens": int(e[f"{meter}_tokens"] or 0) for meter in METERS})
        c["input_audio_tokens"] -= int(e["cache_audio_read_tokens"] or 0)
        c["requests"] += 1
        c["failed_requests"] += e["status"] == "failure"
        c["cache_hits"] += str(e["is_cache_hit"]) == "True"
        numbers = (given - read - write, read, write, out - thought, thought)
        c.update(dict(zip(TOKENS, numbers, strict=True)))
        c[f"prompt {e['prompt_id']}"] = 1
        cost = e["cost_usd"]
        c["cost"] += int(Decimal(str(cost)) * 10**10) if cost not in ("", None) else 0
    return counts


def truth_rows(root: Path) -> list[dict[str, str]]:
    """Read totals.csv."""
    with (root / "truth" / "totals.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_same_arguments_give_the_same_bytes(tmp_path: Path) -> None:
    """A seed decides everything: names, bytes and times of the files; another seed differs."""
    made = []
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        root = tmp_path / name
        simulate(root / "l", truth=root / "t", days=9, users=6, seed=seed, last_day=LAST_DAY)
        files = sorted(p for p in root.rglob("*") if p.is_file())
        made.append({str(p.relative_to(root)): p.read_bytes() for p in files})
        for path in (root / "l").rglob("*.*"):
            next_day = date.fromisoformat(path.name[:10]) + timedelta(1)
            assert datetime.fromtimestamp(path.stat().st_mtime, UTC) == datetime(
                next_day.year, next_day.month, next_day.day, 1, tzinfo=UTC
            )
            if path.suffix == ".gz":  # a gzip file names the time it was made: it must not
                assert path.read_bytes()[4:8] == bytes(4)
    assert made[0] == made[1]
    assert made[0] != made[2]


def test_truth_is_what_was_delivered(organisation: tuple[Path, dict[str, Any]]) -> None:
    """Every row of the truth can be counted from the files, and nothing else is in them."""
    root, overall = organisation
    counted = count_litellm(root) | count_otel(root) | count_gateway(root)
    rows = truth_rows(root)
    assert {tuple(r[n] for n in GROUP) for r in rows} == set(counted)
    for r in rows:
        c = counted[tuple(r[n] for n in GROUP)]
        for measure in ("requests", "failed_requests", "cache_hits", *TOLD):
            assert int(r[measure]) == c[measure], (r, measure)
        assert int(r["prompts"]) == sum(name.startswith("prompt ") for name in c)
        assert int(r["responses"]) == c["requests"] - c["failed_requests"]
        assert Decimal(r["reported_cost_usd"]) * 10**10 == c["cost"]
    assert {r["source"] for r in rows} == set(SOURCES)
    assert json.loads((root / "truth" / "overall.json").read_text(encoding="utf-8")) == overall
    for measure in ("requests", "responses", *TOLD):
        assert overall[measure] == sum(int(r[measure]) for r in rows)
    assert Decimal(overall["reported_cost_usd"]) == sum(
        Decimal(r["reported_cost_usd"]) for r in rows
    )
    assert set(HOSTILE) < {r["user_id"] for r in rows}


def test_prompts_are_counted_once(organisation: tuple[Path, dict[str, Any]]) -> None:
    """Retries and fan-out share a prompt, so there are fewer prompts than requests."""
    root, overall = organisation
    polls = ("aget_responses", "aretrieve_batch")
    litellm = {e["litellm_call_id"] for _, e in delivered(root, "litellm")} - {
        e["litellm_call_id"] for _, e in delivered(root, "litellm") if e["call_type"] in polls
    }
    otel = {
        e["traceId"]
        for _, e in delivered(root, "otel")
        if attributes(e).get("server.port") == 443  # LiteLLM's traffic goes to port 4000
    }
    gateway = {e["prompt_id"] for _, e in delivered(root, "gateway")}
    assert overall["prompts"] == len(litellm) + len(otel) + len(gateway) < overall["requests"]


def test_some_events_are_late_and_some_come_twice(
    organisation: tuple[Path, dict[str, Any]],
) -> None:
    """Every source has late events, duplicates in the same and in later files, and none early."""
    root, overall = organisation
    for source in SOURCES:
        files, starts = defaultdict(list), {}
        for file, e in delivered(root, source):
            if source == "otel" and "parentSpanId" not in e:
                continue
            at = e.get("startTime") or e.get("requested_at") or int(e["startTimeUnixNano"]) / 1e9
            key = (e["id"], at) if source == "litellm" else e.get("request_id") or e["spanId"]
            files[key].append(file)
            starts[key] = (
                at[:10] if isinstance(at, str) else str(datetime.fromtimestamp(at, UTC).date())
            )
        counts = overall["sources"][source]
        late = sum(min(f) > starts[key] for key, f in files.items())
        assert counts["late_events"] == late > 0
        assert counts["duplicates_delivered"] == sum(len(f) - 1 for f in files.values()) > 0
        assert counts["events_delivered"] == sum(len(f) for f in files.values())
        assert all(min(f) >= starts[key] and max(f) <= str(LAST_DAY) for key, f in files.items())
        assert any(len(f) > len(set(f)) for f in files.values()), "none twice in one file"
        assert any(len(set(f)) > 1 for f in files.values()), "none again in a later file"


def test_client_side_spans_are_of_litellm_answers(
    organisation: tuple[Path, dict[str, Any]],
) -> None:
    """About a quarter of LiteLLM's traffic is seen twice, some of it either side of midnight."""
    root, overall = organisation
    answers = {
        e["id"]: e
        for _, e in delivered(root, "litellm")
        if e["call_type"] == "acompletion" and e["status"] == "success" and not e["cache_hit"]
    }
    spans = {e["spanId"]: e for _, e in delivered(root, "otel")}
    client = [e for e in spans.values() if attributes(e).get("server.port") == 4000]
    ids = [attributes(e)["gen_ai.response.id"] for e in client]
    assert len(set(ids)) == len(ids) == overall["sources"]["otel"]["client_views"]
    assert set(ids) < set(answers)
    litellm = sum(int(r["requests"]) for r in truth_rows(root) if r["source"] == "litellm")
    assert 0.15 < len(ids) / litellm < 0.35
    days = [
        (int(e["startTimeUnixNano"]) // (86400 * 10**9), answers[i]["startTime"] // 86400)
        for e, i in zip(client, ids, strict=True)
    ]
    assert any(seen < recorded for seen, recorded in days)


def test_traps_are_there(organisation: tuple[Path, dict[str, Any]]) -> None:
    """Polls, failures that share an id, cache hits, both dialects, prompt text in every source."""
    root, _ = organisation
    litellm = [e for _, e in delivered(root, "litellm")]
    assert {e["call_type"] for e in litellm} > {"aget_responses", "aretrieve_batch"}
    failed = {(e["id"], e["startTime"]) for e in litellm if e["status"] == "failure"}
    assert max(Counter(name for name, _ in failed).values()) > 1
    hits = [e for e in litellm if e["cache_hit"]]
    assert all("_cache_hit1" in e["id"] and not e["response_cost"] for e in hits)
    assert all(e["total_tokens"] for e in hits)
    names = Counter(name for _, e in delivered(root, "otel") for name in attributes(e))
    assert {"gen_ai.system", "gen_ai.provider.name", "session.id", "enduser.id"} < set(names)
    for source in SOURCES:
        files = list((root / "landing" / source).iterdir())
        assert any(PROMPT_TEXT in text_of(path) for path in files)
    endings = {path.name[11:] for path in (root / "landing" / "gateway").iterdir()}
    assert endings == {"csv", "jsonl", "jsonl.zst"}


def test_weekends_are_quiet_and_use_grows(organisation: tuple[Path, dict[str, Any]]) -> None:
    """People rest, and more of them use more of it over time."""
    root, _ = organisation
    use, users = Counter[date](), defaultdict(set)
    for r in truth_rows(root):
        day = date.fromisoformat(r["usage_date"])
        use[day] += int(r["requests"])
        users[(LAST_DAY - day).days // 14].add(r["user_id"])
    weekend = sum(n for day, n in use.items() if day.weekday() >= 5) / (DAYS * 2 / 7)
    weekdays = sum(n for day, n in use.items() if day.weekday() < 5) / (DAYS * 5 / 7)
    assert weekend < weekdays / 3
    first, last = (
        sum(n for day, n in use.items() if (LAST_DAY - day).days // 14 == fortnight)
        for fortnight in (2, 0)
    )
    assert last > 1.1 * first
    assert len(users[0]) > len(users[2])


def test_charts_have_something_to_show(organisation: tuple[Path, dict[str, Any]]) -> None:
    """People have favourites, a provider has a bad day, and streams begin before they end."""
    root, _ = organisation
    users, days = defaultdict(Counter[str]), defaultdict(Counter[str])
    for r in truth_rows(root):
        users[r["user_id"]][r["provider"]] += int(r["requests"])
        days[r["usage_date"], r["provider"]]["all"] += int(r["requests"])
        days[r["usage_date"], r["provider"]]["failed"] += int(r["failed_requests"])
    favourites = [use.most_common(1)[0] for use in users.values()]
    shares = [n / use.total() for (_, n), use in zip(favourites, users.values(), strict=True)]
    assert len({provider for provider, _ in favourites}) > 2
    assert sum(share > 0.6 for share in shares) > len(shares) / 2
    bad = [day for day, c in days.items() if c["all"] > 9 and c["failed"] > 0.3 * c["all"]]
    assert 1 <= len(bad) <= 2
    streams = [e for _, e in delivered(root, "litellm") if e["stream"]]
    assert all(e["startTime"] < e["completionStartTime"] < e["endTime"] for e in streams)
    first = "gen_ai.response.time_to_first_chunk"
    assert any(first in attributes(span) for _, span in delivered(root, "otel"))


def test_meters_tiers_and_teams(organisation: tuple[Path, dict[str, Any]]) -> None:
    """Every meter and every tier is used, no part is larger than its whole, and somebody moves."""
    root, overall = organisation
    assert all(overall[name] > 0 for name in TOLD)
    written = overall["cache_write_5m_tokens"] + overall["cache_write_1h_tokens"]
    assert written == overall["cache_write_tokens"]
    rows = truth_rows(root)
    assert {r["service_tier"] for r in rows} == {"", "standard", *HALVES}
    teams = defaultdict(set)
    for r in rows:
        teams[r["user_id"]].add(r["team_id"])
        parts = {name: int(r[name]) for name in TOLD if name not in TOKENS}
        for whole, of in (
            ("input_uncached_tokens", "input_"),
            ("cache_read_tokens", "cache_audio_read"),
            ("output_tokens_without_reasoning", "output_"),
        ):
            assert sum(parts[name] for name in parts if name.startswith(of)) <= int(r[whole])
    assert {len(of) for of in teams.values()} == {1, 2}
    for model in TIERS:
        costs = [
            (r["service_tier"], Decimal(r["reported_cost_usd"]))
            for r in rows
            if r["model"] == model and r["source"] != "otel"
        ]
        assert model == "gpt-5-mini" or {tier for tier, cost in costs if cost} >= HALVES.keys() & {
            *TIERS[model]
        }
