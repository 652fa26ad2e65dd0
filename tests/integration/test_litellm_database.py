"""LiteLLM's own table, in a real PostgreSQL, is read as far as it is not known yet."""

import gzip
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from backports import zstd
from conftest import PROJECT, Postgres, Warehouse, files_naming

from orchestration.ingestion import litellm_database
from orchestration.ingestion.summary import Summary
from orchestration.operations.forget import forget
from orchestration.settings import UserError
from orchestration.sources import SOURCES
from orchestration.sources.litellm import spend_logs

[LITELLM] = [source for source in SOURCES if source.name == "litellm"]
RECORDED = PROJECT / "examples/recorded/litellm/spend_logs.jsonl.gz"
PROMPT = "the hidden plan"
WRONG = "p455word"
JSON = ("metadata", "request_tags", "messages", "response", "proxy_server_request")

# As LiteLLM's migrations of 2025-03-26 to 2026-09-21 make it.
TABLE = """
    create table "LiteLLM_SpendLogs" (
        "request_id" TEXT NOT NULL,
        "call_type" TEXT NOT NULL,
        "api_key" TEXT NOT NULL DEFAULT '',
        "spend" DOUBLE PRECISION NOT NULL DEFAULT 0.0,
        "total_tokens" INTEGER NOT NULL DEFAULT 0,
        "prompt_tokens" INTEGER NOT NULL DEFAULT 0,
        "completion_tokens" INTEGER NOT NULL DEFAULT 0,
        "startTime" TIMESTAMP(3) NOT NULL,
        "endTime" TIMESTAMP(3) NOT NULL,
        "completionStartTime" TIMESTAMP(3),
        "model" TEXT NOT NULL DEFAULT '',
        "model_id" TEXT DEFAULT '',
        "model_group" TEXT DEFAULT '',
        "custom_llm_provider" TEXT DEFAULT '',
        "api_base" TEXT DEFAULT '',
        "user" TEXT DEFAULT '',
        "metadata" JSONB DEFAULT '{}',
        "cache_hit" TEXT DEFAULT '',
        "cache_key" TEXT DEFAULT '',
        "request_tags" JSONB DEFAULT '[]',
        "team_id" TEXT,
        "end_user" TEXT,
        "requester_ip_address" TEXT,
        "messages" JSONB DEFAULT '{}',
        "response" JSONB DEFAULT '{}',
        "proxy_server_request" JSONB DEFAULT '{}',
        "session_id" TEXT,
        "status" TEXT,
        "mcp_namespaced_tool_name" TEXT,
        "organization_id" TEXT,
        "agent_id" TEXT,
        "request_duration_ms" INTEGER,
        "created_at" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
        "updated_at" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
        "litellm_call_id" TEXT,
        "billing_agent_id" TEXT,
        CONSTRAINT "LiteLLM_SpendLogs_pkey" PRIMARY KEY ("request_id")
    )
"""
INDEX = """
    create index "LiteLLM_SpendLogs_startTime_idx" on "LiteLLM_SpendLogs" ("startTime")
"""


@pytest.fixture(scope="session")
def recorded() -> list[dict]:
    """What LiteLLM handed to its database, with times as the database then has them."""
    with gzip.open(RECORDED, "rt") as lines:
        rows = [json.loads(line) for line in lines]
    # Prisma's client cuts off microseconds.
    for row in rows:
        for name in ("startTime", "endTime", "completionStartTime"):
            row[name] = row[name] and re.sub(r"(\.\d{3})\d+", r"\1", row[name])
    return rows


class Table:
    """LiteLLM's table, and LiteLLM."""

    def __init__(self, server: Postgres) -> None:
        self.server = server

    def insert(self, rows: list[dict]) -> None:
        """Write rows, JSON parsed, as Prisma does, which takes it as text."""
        rows = [
            {name: json.loads(v) if name in JSON and v else v for name, v in row.items()}
            for row in rows
        ]
        columns = ", ".join(f'"{name}"' for name in rows[0])
        self.server.execute(
            f"""
            insert into "LiteLLM_SpendLogs" ({columns})
            select {columns} from jsonb_populate_recordset(
                null::"LiteLLM_SpendLogs", $rows${json.dumps(rows)}$rows$
            )
            """
        )


@pytest.fixture
def table(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> Iterator[Table]:
    postgres.execute('drop table if exists "LiteLLM_SpendLogs"', TABLE, INDEX)
    monkeypatch.setenv("AI_USAGE_LITELLM_DATABASE_URL", postgres.url())
    yield Table(postgres)


def night(warehouse: Warehouse) -> Summary:
    return litellm_database.take_in(warehouse.settings, LITELLM)


def raw(warehouse: Warehouse, what: str = "* exclude (landing_file, landed_at)") -> list[tuple]:
    files = f"read_parquet('{warehouse.raw}/litellm/*/*.parquet')"
    return duckdb.sql(f"select {what} from {files} order by all").fetchall()


def landed(warehouse: Warehouse) -> list[Path]:
    return sorted(warehouse.landing.rglob("*.*"))


def moved(row: dict, start: datetime, **changed: object) -> dict:
    """The row of another request, which started then."""
    times = dict.fromkeys(("startTime", "endTime"), f"{start:%Y-%m-%d %H:%M:%S}")
    return row | times | {"completionStartTime": None} | changed


@pytest.mark.slow
def test_the_table_and_the_same_rows_as_a_file_publish_the_same(
    table: Table,
    recorded: list[dict],
    warehouse: Warehouse,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table.insert(recorded)
    monkeypatch.setattr(litellm_database, "_ROWS_A_FILE", 200)
    summary = night(warehouse)
    assert (summary.rows_read, summary.files, summary.accepted) == (500, 3, 500)
    assert "500 rows of its database were read" in summary.sentence()
    # What LiteLLM hands to its database does not tell when that will have changed.
    told = "* exclude (landing_file, landed_at, updated_at, is_settled)"
    from_table = raw(warehouse, told)
    warehouse.build()
    warehouse.publish()
    assert warehouse.published("select count(*) from core.fct_requests") == [(500,)]
    tables = [
        f"{schema}.{name}"
        for schema, name in warehouse.published(
            "select schema_name, table_name from duckdb_tables() "
            "where schema_name in ('usage', 'cost', 'technical') order by all"
        )
    ]
    assert len(tables) > 15
    figures = {name: warehouse.published(f"from {name} order by all") for name in tables}

    # Beside the payloads, whose times are exact, each request counts once: failed ones, too.
    payloads = RECORDED.with_name("standard_logging_payload.jsonl.gz")
    warehouse.land(payloads, source="litellm")
    monkeypatch.delenv("AI_USAGE_LITELLM_DATABASE_URL")
    warehouse.rebuild()
    assert warehouse.published("select count(*) from core.fct_requests") == [(500,)]

    for path in landed(warehouse):
        path.unlink()
    shutil.rmtree(warehouse.raw)
    (warehouse.home / "warehouse.duckdb").unlink()
    warehouse.write("litellm/rows.jsonl", "\n".join(map(json.dumps, recorded)))
    warehouse.rebuild()
    assert raw(warehouse, told) == from_table
    assert {n: warehouse.published(f"from {n} order by all") for n in tables} == figures


def test_late_rows_missed_nights_and_nights_with_nothing_new(
    table: Table, recorded: list[dict], warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    row, newest = recorded[0], datetime(2026, 10, 1, 12)
    table.insert(
        [
            moved(row, newest, request_id="newest"),
            moved(row, newest - timedelta(days=30), request_id="old"),
            # Rejected, and beyond all others: neither hides what comes later nor lands again.
            moved(row, datetime(2999, 1, 1), request_id="x" * 50),
            moved(row, newest, request_id="'; drop table", prompt_tokens=-1),
        ]
    )
    summary = night(warehouse)
    assert (summary.rows_read, summary.accepted, summary.rejected) == (4, 2, 2)

    before = landed(warehouse)
    # The old one has changed, for all that is known: it was written a moment ago.
    summary = night(warehouse)
    assert (summary.rows_read, summary.files) == (4, 0)
    assert landed(warehouse) == before

    # Late: as old as the overlap allows. The id of a known one with another time is another row.
    late = newest - timedelta(hours=47, minutes=59)
    table.insert([moved(row, late, request_id="late")])
    summary = night(warehouse)
    assert (summary.rows_read, summary.accepted, summary.rejected) == (5, 1, 0)

    # Weeks without a night, in which late rows came too; and landing/ was cleared.
    for path in landed(warehouse):
        path.unlink(missing_ok=True)
    later = newest + timedelta(days=50)
    table.insert(
        [
            moved(row, newest - timedelta(hours=1), request_id="late 2"),
            *(moved(row, newest + timedelta(days=d), request_id=f"day {d}") for d in range(1, 50)),
            moved(row, later, request_id="newest 2"),
        ]
    )
    summary = night(warehouse)
    assert (summary.accepted, summary.rejected) == (51, 0)
    assert len(raw(warehouse, "distinct request_id")) == len(raw(warehouse)) == 54

    # Later than the overlap: a longer one brings just what is missing.
    table.insert([moved(row, newest, request_id="very late")])
    assert night(warehouse).files == 0
    monkeypatch.setenv("AI_USAGE_LITELLM_OVERLAP_HOURS", "100000")
    summary = night(warehouse)
    assert (summary.rows_read, summary.accepted) == (57, 1)
    monkeypatch.setenv("AI_USAGE_LITELLM_OVERLAP_HOURS", "two days")
    with pytest.raises(UserError, match="OVERLAP_HOURS is 'two days'"):
        night(warehouse)


def test_a_row_that_was_settled_is_taken_again(
    table: Table, recorded: list[dict], warehouse: Warehouse
) -> None:
    newest = datetime(2026, 10, 30, 12)
    known = {
        "day": newest - timedelta(days=1),
        "month": newest - timedelta(days=30),
        "too old": newest - timedelta(days=40),
    }
    table.insert([moved(recorded[0], newest, request_id="newest", updated_at="2026-10-30")])
    table.insert(
        [
            moved(recorded[0], at, request_id=name, updated_at=at.isoformat())
            for name, at in known.items()
        ]
    )
    assert night(warehouse).accepted == 4
    assert night(warehouse).files == 0

    def settle(spend: int, at: str) -> None:
        table.server.execute(
            f"""update "LiteLLM_SpendLogs" set spend = {spend}, updated_at = '{at}'"""
            " where request_id <> 'newest'"
        )

    settle(7, "2026-11-01 08:00:00.125")
    assert night(warehouse).accepted == 2
    assert night(warehouse).files == 0
    settle(8, "2026-11-02")
    assert night(warehouse).accepted == 2
    told = raw(warehouse, "request_id, updated_at, response_cost_usd")
    assert [row[1] for row in told if row[0] == "month"] == [
        known["month"],
        datetime(2026, 11, 1, 8, microsecond=125000),
        datetime(2026, 11, 2),
    ]
    assert max(row[2] for row in told if row[0] == "day") == 8
    assert [row[0] for row in told].count("too old") == 1


def test_what_an_earlier_version_took_in_is_as_of_when_it_landed(
    table: Table, recorded: list[dict], warehouse: Warehouse
) -> None:
    """LiteLLM's migration gives all rows that it finds the time at which it ran."""
    table.server.execute('alter table "LiteLLM_SpendLogs" drop updated_at')
    start = datetime(2026, 10, 30)
    table.insert([moved(recorded[0], start, request_id=name) for name in ("same", "settled")])
    assert night(warehouse).accepted == 2
    for path in warehouse.raw.glob("litellm/*/*.parquet"):
        files = duckdb.sql(f"select * exclude (updated_at, total_tokens) from '{path}'")
        files.write_parquet(f"{path}.new")
        Path(f"{path}.new").rename(path)
    table.server.execute(
        "alter table \"LiteLLM_SpendLogs\" add updated_at timestamp(3) default '2026-10-30'",
        """
        update "LiteLLM_SpendLogs"
        set spend = 9, updated_at = now() at time zone 'utc' + interval '1 minute'
        where request_id = 'settled'
        """,
    )
    assert night(warehouse).accepted == 1
    assert night(warehouse).files == 0
    told = raw(warehouse, "request_id, response_cost_usd")
    assert [(name, int(cost)) for name, cost in told if cost > 8] == [("settled", 9)]


def test_files_that_land_beside_the_table_hide_none_of_its_rows(
    table: Table, recorded: list[dict], warehouse: Warehouse
) -> None:
    now = datetime.now(UTC)
    warehouse.write("litellm/rows.jsonl", json.dumps(moved(recorded[0], now, request_id="file")))
    table.insert([moved(recorded[0], now - timedelta(days=90), request_id="row")])
    assert night(warehouse).accepted == 2


TAKE_IN = """
from orchestration.ingestion import litellm_database
from orchestration.settings import load_settings
from orchestration.sources import SOURCES
from orchestration.sources.litellm import spend_logs
litellm_database._ROWS_A_FILE = 20
[litellm] = [source for source in SOURCES if source.name == "litellm"]
litellm_database.take_in(load_settings(), litellm)
"""


@pytest.mark.slow
def test_killed_wherever_it_may_be(
    table: Table, recorded: list[dict], warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The overlap is none, so that nothing but the order of reading and loading helps."""
    table.insert(recorded)
    monkeypatch.setenv("AI_USAGE_LITELLM_OVERLAP_HOURS", "0")
    _ = warehouse.settings
    # Killed after so many files have landed, or while what has landed is taken in.
    for files in (0, 4, None, 6):
        wanted = len(landed(warehouse)) + (files or 0)
        running = subprocess.Popen([sys.executable, "-c", TAKE_IN], env=dict(os.environ))
        while running.poll() is None and (
            not any(warehouse.raw.glob(".loading/*.lock"))
            if files is None
            else len(landed(warehouse)) <= wanted
        ):
            time.sleep(0.001)
        running.send_signal(signal.SIGKILL)
        assert running.wait() == -signal.SIGKILL
    night(warehouse)
    assert not list(warehouse.landing.rglob(".*"))
    healed = raw(warehouse)
    for path in landed(warehouse):
        path.unlink()
    shutil.rmtree(warehouse.raw)
    assert night(warehouse).accepted == 500
    assert raw(warehouse) == healed


def paths_kept(fields: spend_logs.Fields = spend_logs.METADATA) -> set[tuple[str, ...]]:
    """The fields of metadata that are asked of the table."""
    return {
        (name, *inner)
        for name, within in fields.items()
        for inner in (paths_kept(within) if within else {()})
    }


def test_all_that_is_read_of_metadata_is_asked_for() -> None:
    """The query takes it apart by structures of its own, usage by a second one."""
    structures = re.findall(r"from_json\(\s*\w+,\s*'(.+?)'\s*\)", LITELLM.query, re.DOTALL)
    metadata, usage = map(json.loads, structures)

    def paths(fields: dict, above: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
        return {
            path
            for name, kind in fields.items()
            for path in (
                paths(kind, (*above, name)) if isinstance(kind, dict) else {(*above, name)}
            )
        }

    places = {"usage_object": usage, "additional_usage_values": usage}
    assert paths_kept() == paths(metadata | places)


def test_of_metadata_all_that_is_read_comes_and_nothing_else(
    table: Table, recorded: list[dict], warehouse: Warehouse
) -> None:
    paths = sorted(paths_kept())
    metadata: dict = {"requester_metadata": {"plan": PROMPT}, "prompt": PROMPT}
    for path in paths:
        inner = metadata
        *parents, name = path
        for parent in parents:
            inner = inner.setdefault(parent, {"other": PROMPT})
        inner[name] = ".".join(path)
    secret = json.dumps([{"role": "user", "content": PROMPT}])
    hidden = dict.fromkeys(("messages", "response", "proxy_server_request", "request_tags"), secret)
    table.insert([recorded[0] | hidden | {"metadata": json.dumps(metadata)}])
    odd = ('"{\\"prompt\\": \\"' + PROMPT + '\\"}"', "[1]", "null", None, "{}")
    table.insert(
        [
            moved(recorded[0], datetime(2026, 1, 1), request_id=f"odd {n}", metadata=text) | hidden
            for n, text in enumerate(odd)
        ]
    )
    summary = night(warehouse)
    [file] = landed(warehouse)[-1:]
    with zstd.open(file, "rt") as lines:
        rows = {row["request_id"]: row for row in map(json.loads, lines)}
    kept = json.loads(rows[recorded[0]["request_id"]]["metadata"])
    for path in paths:
        value = kept
        for name in path:
            value = value[name]
        assert value == ".".join(path)
    assert sorted(set(rows[recorded[0]["request_id"]]) - set(LITELLM.structure)) == []
    # What is not an object is rejected, as it is in a file; none at all is none.
    assert {reason for *_, reason in summary.rejections} >= {"metadata is not JSON"}
    assert (summary.accepted, summary.rejected) == (3, 3)
    assert files_naming(warehouse.home, PROMPT) == []


def test_a_forgotten_person_does_not_come_back_from_the_table(
    table: Table, recorded: list[dict], warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    table.insert(recorded[:250])
    night(warehouse)
    # These came after the last night: they are forgotten with the others.
    table.insert(recorded[250:])
    person = "alice@corp.example"
    # The night that it ends with is put together here, without Dagster.
    monkeypatch.setattr("orchestration.operations.forget.run", lambda settings: night(warehouse))
    forget(warehouse.settings, person, is_sure=True)
    assert files_naming(warehouse.home, person) == []
    users = Counter(user for (user,) in raw(warehouse, "coalesce(user_id, end_user)"))
    assert night(warehouse).files == 0
    # Nor with a row that is settled afterwards.
    table.server.execute(
        """update "LiteLLM_SpendLogs" set updated_at = now() at time zone 'utc'"""
        f""" where "user" = '{person}'"""
    )
    assert night(warehouse).files == 0
    assert files_naming(warehouse.home, person) == []
    assert users["(forgotten)"] > 50
    assert users.total() == 500


def test_errors_say_what_to_do_and_never_the_password(
    table: Table, recorded: list[dict], warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = table.server

    def complaint(url: str | None = None) -> str:
        monkeypatch.setenv("AI_USAGE_LITELLM_DATABASE_URL", url or server.url())
        with pytest.raises(UserError) as caught:
            night(warehouse)
        error, texts = caught.value, []
        while error:
            texts.append(repr(error))
            error = error.__cause__ or error.__context__
        for secret in (server.user, server.password, "p455word", str(server.port), "127.0.0.1"):
            assert secret not in " ".join(texts).replace("AI_USAGE_LITELLM", "")
        assert "AI_USAGE_LITELLM_DATABASE_URL" in texts[0]
        return texts[0]

    assert "cannot be reached" in complaint(server.url(port="1"))
    assert "refuses the user or the password" in complaint(server.url(password=WRONG))
    assert "refuses the user or the password" in complaint(server.url(user=WRONG))
    assert "no database of that name" in complaint(server.url() + "x")
    for wrong in (server.url() + "?schema=public", "p455word", "postgresql://u:p455word@[::1"):
        assert "it is no address" in complaint(wrong)

    rename = 'alter table "LiteLLM_SpendLogs" rename {} to {}'
    server.execute(rename.format('"startTime"', '"started"'))
    assert "has no column startTime" in complaint()
    server.execute(rename.format('"started"', '"startTime"'))
    retype = 'alter table "LiteLLM_SpendLogs" alter "{}" type text'
    server.execute(retype.format("startTime"))
    assert "startTime of LiteLLM_SpendLogs" in complaint()
    server.execute('drop table "LiteLLM_SpendLogs"')
    assert "no table LiteLLM_SpendLogs" in complaint()

    # A table of an older LiteLLM lacks columns. A number that became text is still read, and
    # where it is none its row is rejected.
    server.execute(TABLE, INDEX)
    for name in ("status", "session_id", "litellm_call_id"):
        server.execute(f'alter table "LiteLLM_SpendLogs" drop "{name}"')
    server.execute(retype.format("prompt_tokens"))
    lacking = [
        {k: v for k, v in row.items() if k not in ("status", "session_id", "litellm_call_id")}
        for row in recorded[:2]
    ]
    table.insert([lacking[0], lacking[1] | {"prompt_tokens": "many"}])
    summary = night(warehouse)
    assert (summary.accepted, summary.rejected) == (1, 1)

    # May not read it; and the server dies while it is read.
    server.execute("create role reader login password 'p455word'")
    reader = server.url(user="reader", password=WRONG)
    assert "grant select on it" in complaint(reader)
    server.execute('revoke all on "LiteLLM_SpendLogs" from reader', "drop role reader")
    fetch = litellm_database._fetch
    table.insert([lacking[1] | {"request_id": f"{n}"} for n in range(20)])

    def fetch_and_kill(cursor: object, query: str, connection: object) -> object:
        answer = fetch(cursor, query, connection)
        if query.startswith("fetch"):
            server.stop()
        return answer

    monkeypatch.setattr(litellm_database, "_fetch", fetch_and_kill)
    monkeypatch.setattr(litellm_database, "_ROWS_A_FILE", 5)
    assert "PostgreSQL ended it" in complaint()
    monkeypatch.setattr(litellm_database, "_fetch", fetch)
    server.start()
    night(warehouse)
    assert len(raw(warehouse)) == 21
