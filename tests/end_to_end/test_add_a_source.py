"""CONTRIBUTING's "Add a source in five steps", done in a copy of the project."""

import json
import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from conftest import PROJECT
from test_nightly_job import copy_of_project

FILES = {
    "orchestration/sources/<source>/__init__.py": '''
"""Acme's gateway."""

from pathlib import Path

from orchestration.sources.source import Source, text

SOURCE = Source(
    Path(__file__).parent,
    text("call", "at", "vendor", "engine", "who", "tokens_in", "tokens_out"),
    key="request_id",
    time="requested_at",
    tokens=("input_tokens", "output_tokens"),
    people=("user_id",),
    succeeded="true",
    needed={"tokens_in": "input_tokens"},
)
''',
    "orchestration/sources/<source>/records.sql": """
select
    given(call) as request_id,
    as_time("at") as requested_at,
    given(vendor) as provider,
    given(engine) as model,
    given(who) as user_id,
    as_count(tokens_in) as input_tokens,
    as_count(tokens_out) as output_tokens,
    cast(as_time("at") as date) as event_date,
    concat_ws('; ',
        missing(call, 'call'), missing("at", 'at'), bad_time("at", 'at'),
        bad_count(tokens_in, 'tokens_in'), bad_count(tokens_out, 'tokens_out')
    ) as reject_reason,
    {'call': call, 'at': "at"} as reject_text,
    landing_file,
    line_number
from landing
""",
    "models/staging/<source>/raw_<source>.yml": """
sources:
  - name: raw
    tables:
      - name: acme
        description: One row per event of Acme's gateway, duplicates included.
        columns:
          - {name: request_id, data_type: varchar, description: Acme's id of the call.}
          - {name: requested_at, data_type: timestamp, description: "{{ doc('requested_at') }}"}
          - {name: provider, data_type: varchar, description: Who runs the model.}
          - {name: model, data_type: varchar, description: The model.}
          - {name: user_id, data_type: varchar, description: Who asked.}
          - {name: input_tokens, data_type: bigint, description: Tokens in.}
          - {name: output_tokens, data_type: bigint, description: Tokens out.}
          - {name: landing_file, data_type: varchar, description: "{{ doc('landing_file') }}"}
          - {name: landed_at, data_type: timestamp, description: "{{ doc('landed_at') }}"}
          - {name: event_date, data_type: date, description: "{{ doc('event_date') }}"}
""",
    "models/staging/<source>/stg_<source>__requests.sql": """
with source as (

    select * from {{ source('raw', 'acme') }}

),

renamed as (

    select
        request_id as call_id,
        'acme' as source,
        'acme' as teller,
        request_id as prompt_id,
        false as is_session_id_doubtful,
        user_id as owner_id,
        provider,
        model,
        'success' as status,
        input_tokens,
        output_tokens,
        false as is_cache_hit,
        false as is_client_view,
        requested_at,
        landing_file,
        landed_at,
        event_date
    from source

)

select * from renamed
""",
    "models/staging/<source>/stg_<source>__requests.yml": """
models:
  - name: stg_acme__requests
    description: One row per event of Acme's gateway, in the columns that all sources share.
""",
}
UNION = "macros/models_of_calls.sql"
BUILD = """
from orchestration.ingestion import ingest
from orchestration.settings import load_settings
from orchestration.sources import SOURCES

settings = load_settings()
print({source.name: ingest(settings, source).sentence() for source in SOURCES})
"""


@pytest.mark.slow
def test_the_five_steps_are_all(tmp_path: Path) -> None:
    steps = (PROJECT / "CONTRIBUTING.md").read_text()
    steps = steps[steps.index("## Add a source in five steps") :].split("\n## ")[0]
    project, home = copy_of_project(tmp_path / "project"), tmp_path / "home"
    for name, content in FILES.items():
        assert name.rsplit("/", 1)[0] in steps, f"CONTRIBUTING does not name {name}"
        path = project / name.replace("<source>", "acme")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content.lstrip())
    assert UNION in steps
    union = (project / UNION).read_text()
    one = "'stg_gateway__requests'"
    assert one in union
    (project / UNION).write_text(union.replace(one, f"'stg_acme__requests', {one}"))

    landing = home / "landing/acme/today.jsonl"
    landing.parent.mkdir(parents=True)
    record = {"call": "a-1", "at": "2026-03-02T10:00:00Z", "vendor": "openai", "engine": "gpt-4o"}
    record |= {"who": "alice", "tokens_in": 12, "tokens_out": 3, "said": "a prompt"}
    landing.write_text(json.dumps(record) + "\n" + json.dumps(record | {"at": "never"}) + "\n")
    environment = os.environ | {"AI_USAGE_HOME": str(home)}
    for command in (
        [sys.executable, "-c", BUILD],
        [Path(sys.executable).with_name("dbt"), "build", "--select", "+fct_requests",
         "--exclude-resource-type", "unit_test", "test", "--profiles-dir", "profiles"],
    ):  # fmt: skip
        done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as connection:
        told = "source, user_id, provider, model, total_tokens, status"
        rows = connection.execute(f"select {told} from core.fct_requests").fetchall()
        rejected = connection.execute("select source, reason from raw.rejected").fetchall()
    assert rows == [("acme", "alice", "openai", "gpt-4o", 15, "success")]
    assert rejected == [("acme", "at is not a time")]
    assert b"a prompt" not in b"".join(p.read_bytes() for p in home.glob("raw/**/*.parquet"))
