"""The night in a place and an environment that are against it."""

import ctypes
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from test_nightly_job import Job, copy_of_project

pytestmark = pytest.mark.slow

# Root may do nothing that others may not.
AS_ANYBODY = ("setpriv", "--bounding-set=-dac_override,-dac_read_search,-fowner")
NASTY = 'it\'s "hömé" {% raw %} {{ x }} 100% ; a&b $HOME env=prod'
CHECKOUT = 'a "checkout" ü {% raw %} {{ x }} #1 100%41 ; a&b $HOME env=prod'
LOCKED = "locked.jsonl"
ENVIRONMENT = {
    # Another project's.
    "DBT_TARGET": "prod",
    "DBT_PROFILE": "other",
    "DBT_PROFILES_DIR": "/nowhere",
    "DBT_PROJECT_DIR": "/nowhere",
    "DBT_TARGET_PATH": "/nowhere/target",
    "DBT_LOG_PATH": "/nowhere/logs",
    "DBT_FULL_REFRESH": "true",
    "DBT_WARN_ERROR": "true",
    "DBT_FAIL_FAST": "true",
    "DBT_DEFER": "true",
    "DBT_STATE": "/nowhere",
    "DBT_EMPTY": "true",
    "DBT_SAMPLE": "1 day",
    "DBT_EVENT_TIME_START": "2020-01-01",
    "DBT_EXCLUDE_RESOURCE_TYPES": "model",
    "DBT_RESOURCE_TYPES": "seed",
    "DBT_STORE_FAILURES": "true",
    "DBT_INDIRECT_SELECTION": "empty",
    "DBT_THREADS": "x",
    "DBT_VERSION_CHECK": "x",
    "DBT_SEND_ANONYMOUS_USAGE_STATS": "true",
    "DBT_ENGINE_FULL_REFRESH": "true",
    "DBT_ENGINE_TARGET": "prod",
    "DAGSTER_HOME": "/nowhere/dagster",
    "DAGSTER_POSTGRES_URL": "postgresql://nobody@nowhere.invalid/nothing",
    "DAGSTER_DBT_PARSE_PROJECT_ON_LOAD": "1",
    "DAGSTER_IS_DEV_CLI": "1",
    # A terminal of old, or cron's.
    "LANG": "C",
    "LC_ALL": "C",
    "PYTHONUTF8": "0",
    "PYTHONCOERCECLOCALE": "0",
    "PYTHONIOENCODING": "ascii",
    "PYTHONWARNINGS": "error",
    "PYTHONOPTIMIZE": "2",
}


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Job]:
    """Both the checkout and AI_USAGE_HOME have a nasty name; what landed can only be read."""
    folder = tmp_path_factory.mktemp("environment")
    job = Job(copy_of_project(folder / CHECKOUT), folder / "homes" / NASTY)
    gateway = job.home / "landing" / "gateway"
    gateway.mkdir(parents=True)
    day = datetime.now(UTC).date() - timedelta(3)
    for name in ("Größe [1].jsonl", "again.jsonl"):
        record = {"request_id": name, "provider": "openai", "model": "gpt-4o"}
        record |= {"requested_at": f"{day}T12:00:00Z", "user_id": "Zoë 李"}
        bad = {"request_id": f"bad {name}"}
        lines = (record | {"input_tokens": 20, "output_tokens": 10}, bad)
        (gateway / name).write_text("\n".join(map(json.dumps, lines)))
    (gateway / LOCKED).write_text("nobody reads this")
    (job.home / "landing/otel").mkdir()
    landed = (*job.home.glob("landing/**/*"), job.home / "landing")
    for path in landed:
        path.chmod(0o555 if path.is_dir() else 0 if path.name == LOCKED else 0o444)
        if os.geteuid() == 0:
            shutil.chown(path, "nobody")
    yield job
    for path in landed:
        path.chmod(0o755)


def start(job: Job, *arguments: str, **settings: str) -> subprocess.Popen:
    path = {"PATH": os.environ["PATH"], "AI_USAGE_HOME": str(job.home)}
    account = AS_ANYBODY if os.geteuid() == 0 else ()
    return subprocess.Popen(
        [*account, sys.executable, "-m", "orchestration", *arguments],
        cwd=job.project,
        env=ENVIRONMENT | path | settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )


def finish(running: subprocess.Popen) -> tuple[int, str]:
    said, complained = running.communicate(timeout=600)
    assert complained == ""
    assert "Traceback" not in said
    return running.returncode, said


def test_a_night_among_enemies(job: Job) -> None:
    """It is ended halfway, and mended; then a folder cannot be looked into."""
    running = start(job)
    until = time.monotonic() + 300
    while not (job.home / "warehouse.duckdb").exists():
        assert running.poll() is None, finish(running)
        assert time.monotonic() < until
        time.sleep(0.01)
    # The kernel may hand it to any thread, and Python answers it in the first.
    threads = [int(thread.name) for thread in Path(f"/proc/{running.pid}/task").iterdir()]
    assert ctypes.CDLL(None).tgkill(running.pid, max(threads), signal.SIGTERM) == 0
    assert max(threads) != running.pid
    code, said = finish(running)
    assert code == 1
    assert "\nStopped: SIGTERM has ended this. What was published before still stands" in said
    assert not (job.published / "current").exists()

    code, said = finish(start(job))
    assert code == 0, said
    assert f"AI usage warehouse in {job.home}\n" in said
    assert re.search(r"^  models .* [1-9]\d* models built, [1-9]\d* tests passed$", said, re.M)
    path = str(job.published / "reports.duckdb")
    with duckdb.connect(path, read_only=True) as reports:
        rows = reports.sql("select user_id, total_tokens from core.fct_requests").fetchall()
        assert rows == [("Zoë 李", 30)] * 2
        rejected = "select sum(events_rejected) from technical.data_quality"
        assert reports.sql(rejected).fetchall() == [(2,)]
    assert f"gateway/{LOCKED} cannot be read and is tried again next time: " in said

    (job.home / "landing/otel").chmod(0)
    code, said = finish(start(job))
    assert code == 1
    assert "Stopped. All else was done, but:\n" in said
    assert f"{job.home}/landing/otel cannot be looked into: Permission denied. " in said
