"""A night that reads LiteLLM's database, as a person runs it."""

import gzip
import json
import re
from pathlib import Path
from urllib.parse import quote

import pytest
from conftest import PROJECT, Postgres, files_naming
from test_nightly_job import Job, copy_of_project

pytestmark = pytest.mark.slow

RECORDED = PROJECT / "examples/recorded/litellm/spend_logs.jsonl.gz"
COLUMNS = {
    "request_id": "text primary key", "call_type": "text", "cache_hit": "text", "model": "text",
    "startTime": "timestamp(3)", "completionStartTime": "timestamp(3)", "endTime": "timestamp(3)",
    "custom_llm_provider": "text", "user": "text", "end_user": "text", "team_id": "text",
    "prompt_tokens": "integer", "completion_tokens": "integer", "spend": "double precision",
    "session_id": "text", "status": "text", "litellm_call_id": "text", "metadata": "jsonb",
}  # fmt: skip


@pytest.fixture
def database(postgres: Postgres) -> Postgres:
    with gzip.open(RECORDED, "rt") as lines:
        rows = [json.loads(line) for line in lines]
    rows = [row | {"metadata": json.loads(row["metadata"])} for row in rows]
    columns = ", ".join(f'"{name}" {kind}' for name, kind in COLUMNS.items())
    postgres.execute(
        'drop table if exists "LiteLLM_SpendLogs"',
        f'create table "LiteLLM_SpendLogs" ({columns})',
        'insert into "LiteLLM_SpendLogs" select * from '
        f'jsonb_populate_recordset(null::"LiteLLM_SpendLogs", $rows${json.dumps(rows)}$rows$)',
    )
    return postgres


def test_nights_with_a_database(database: Postgres, tmp_path: Path) -> None:
    job = Job(copy_of_project(tmp_path / "project", is_parsed=True), tmp_path / "home")
    said = ""

    def run(url: str) -> tuple[int, str]:
        nonlocal said
        done = job.run(AI_USAGE_LITELLM_DATABASE_URL=url)
        said += done.stdout + done.stderr
        return done.returncode, done.stdout

    # The database is enough: no example is put in beside it.
    code, printed = run(database.url())
    assert code == 0, printed
    assert re.search(r"litellm +[\d.]+ s +500 events from 1 new files\n +500 rows of its", printed)
    assert job.query("select count(*) from core.fct_requests") == [(500,)]
    assert files_naming(job.home / "dagster", "rows read")

    code, printed = run(database.url())
    assert code == 0, printed
    assert re.search(r"litellm +[\d.]+ s +nothing new\n +500 rows of its database", printed)
    assert "what was published stands" in printed

    # Refused: the other sources are taken in and published, and the night says why it failed.
    record = {"request_id": "other", "requested_at": "2026-01-01", "provider": "p", "model": "m"}
    (job.home / "landing" / "gateway" / "other.jsonl").write_text(json.dumps(record))
    code, printed = run(database.url(password=f"not {database.password}"))
    assert code == 1
    assert "it refuses the user or the password" in printed
    assert job.query("select count(*) from core.fct_requests") == [(501,)]

    secrets = [database.password, quote(database.password, safe=""), "postgresql://litellm"]
    for secret in secrets:
        assert secret not in said
        for path in (*job.home.rglob("*"), *job.project.glob("logs/*")):
            assert not path.is_file() or secret.encode() not in path.read_bytes(), path
        assert files_naming(job.home, secret) == []
