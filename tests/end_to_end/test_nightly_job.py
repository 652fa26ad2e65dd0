"""The nightly job as a person runs it: `python -m orchestration`, in a copy of the project."""

import contextlib
import fcntl
import hashlib
import http.client
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote
from zoneinfo import ZoneInfo

import duckdb
import psycopg2
import pytest
from conftest import PROJECT, Postgres, declared_data_tests, files_naming, free_port, webhook
from forked import Run

from examples.simulator import simulate

pytestmark = pytest.mark.slow

NOT_COPIED = {".venv", ".git", "data", "target", "logs", ".pytest_cache", ".ruff_cache"}


class Job:
    """A copy of the project, with an AI_USAGE_HOME."""

    def __init__(self, project: Path, home: Path) -> None:
        self.project, self.home = project, home
        self.published = home / "published"

    def set_aside(self, name: str) -> "Job":
        """Keep the home as it is now under another name."""
        return Job(self.project, self.home.rename(self.home.with_name(name)))

    def copy(self) -> "Job":
        """The same in the place where it was made: elsewhere dbt has to parse everything anew."""
        home = self.home.with_name("home")
        shutil.rmtree(home, ignore_errors=True)
        return Job(self.project, Path(shutil.copytree(self.home, home, symlinks=True)))

    def environment(self, **settings: str) -> dict[str, str]:
        return os.environ | {"AI_USAGE_HOME": str(self.home)} | settings

    def start(self, *arguments: str, **settings: str) -> Run:
        """`python <arguments>`, forked from a process that has imported already what takes long."""
        said = self.home.with_name(f"{self.home.name}.txt")
        return Run(self.project, self.environment(**settings), said, arguments)

    def python(self, *arguments: str, **settings: str) -> subprocess.CompletedProcess:
        """The same, to its end."""
        running = self.start(*arguments, **settings)
        try:
            code = running.wait()
        finally:
            running.kill()
        return subprocess.CompletedProcess(arguments, code, running.said(), running.complained())

    def run(self, **settings: str) -> subprocess.CompletedProcess:
        done = self.python("-m", "orchestration", **settings)
        assert "Traceback" not in done.stdout + done.stderr
        return done

    def query(self, sql: str) -> list[tuple]:
        with duckdb.connect(str(self.published / "reports.duckdb"), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    def state(self) -> dict[str, tuple]:
        """Every file and link of what is published, with its time and content."""
        return {
            str(path.relative_to(self.published)): (
                path.lstat().st_mtime_ns,
                str(path.readlink()) if path.is_symlink() else digest(path),
            )
            for path in self.published.rglob("*")
            if path.is_symlink() or path.is_file()
        }


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def copy_of_project(folder: Path, is_parsed: bool = False) -> Path:
    """Runs in the checkout would meet those of whoever works in it."""
    ignore = shutil.ignore_patterns(*(NOT_COPIED - {"target"} if is_parsed else NOT_COPIED))
    return Path(shutil.copytree(PROJECT, folder, ignore=ignore, symlinks=True))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_of_project(tmp_path_factory.mktemp("nightly") / "project")


@pytest.fixture(scope="module")
def first_night(
    project: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Job, subprocess.CompletedProcess]:
    """The first run, on an empty home, in a process that nothing was imported for; its output."""
    job = Job(project, tmp_path_factory.mktemp("first_night") / "home")
    done = subprocess.run(
        [sys.executable, "-m", "orchestration"],
        cwd=project,
        env=job.environment(),
        capture_output=True,
        text=True,
        timeout=900,
    )
    return job.set_aside("first_night"), done


@pytest.fixture
def job(first_night: tuple[Job, object]) -> Job:
    """A home of the test's own, as the first night left it."""
    return first_night[0].copy()


# What Dagster is told.

DEFINITIONS = """
import json, sys, warnings
warnings.filterwarnings("error", category=DeprecationWarning, module=r"orchestration(\\.|$)")
from dagster._utils.schedules import schedule_execution_time_iterator
from orchestration.definitions import defs

graph = defs.resolve_asset_graph()
job = defs.resolve_job_def("nightly_rebuild")
[schedule] = defs.schedules
zone = schedule.execution_timezone
ticks = []
for start in json.loads(sys.argv[1]):
    times = schedule_execution_time_iterator(start, schedule.cron_schedule, zone)
    ticks.append([next(times).isoformat() for _ in range(3)])
print(json.dumps({
    "above": {
        key.to_user_string(): [k.to_user_string() for k in graph.get(key).parent_keys]
        for key in graph.get_all_asset_keys()
    },
    "job": [key.to_user_string() for key in job.asset_layer.executable_asset_keys],
    "executable": [key.to_user_string() for key in graph.executable_asset_keys],
    "schedule": [schedule.job_name, schedule.cron_schedule, zone, schedule.default_status.value],
    "ticks": ticks,
}))
"""


def definitions(project: Path, home: Path, zone: str, *starts: str) -> dict:
    times = json.dumps([datetime.fromisoformat(start).timestamp() for start in starts])
    done = Job(project, home).python(
        "-c", DEFINITIONS, times, AI_USAGE_REPORTING_TIME_ZONE=zone, PYTHONPATH=str(project)
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_asset_graph_and_schedule(project: Path, tmp_path: Path) -> None:
    told = definitions(project, tmp_path / "home", "Asia/Kolkata", "2026-11-20T12:00:00+00:00")
    seen, below = set(), ["published/object_storage"]
    while below:
        asset = below.pop()
        seen.add(asset)
        below += set(told["above"][asset]) - seen
    assert {"landing/litellm", "raw/litellm", "raw/rejected", "core/fct_requests"} < seen
    # Whatever exists leads to what is published, but for the ledger; and the job makes all of it.
    seen.add("raw/loads")
    assert seen == set(told["above"])
    landing = {"landing/litellm", "landing/otel", "landing/gateway"}
    assert set(told["job"]) == set(told["executable"]) == seen - landing
    assert told["schedule"] == ["nightly_rebuild", "0 2 * * *", "Asia/Kolkata", "RUNNING"]
    ticks = [datetime.fromisoformat(tick).astimezone(ZoneInfo("UTC")) for tick in told["ticks"][0]]
    assert [f"{tick:%m-%d %H:%M}" for tick in ticks] == [
        "11-20 20:30",
        "11-21 20:30",
        "11-22 20:30",
    ]


def test_one_tick_a_night_when_clocks_change(project: Path, tmp_path: Path) -> None:
    """Two o'clock does not exist on one night of the year in Berlin, and comes twice on another."""
    starts = ("2026-03-27T12:00:00+00:00", "2026-10-23T12:00:00+00:00")
    told = definitions(project, tmp_path / "home", "Europe/Berlin", *starts)
    assert told["ticks"][0] == [
        "2026-03-28T02:00:00+01:00",
        "2026-03-29T03:00:00+02:00",
        "2026-03-30T02:00:00+02:00",
    ]
    assert [tick[:16] for tick in told["ticks"][1]] == [
        "2026-10-24T02:00",
        "2026-10-25T02:00",
        "2026-10-26T02:00",
    ]


# What a person sees.


def test_first_run_shows_an_example(first_night: tuple[Job, subprocess.CompletedProcess]) -> None:
    job, done = first_night
    assert (done.returncode, done.stderr) == (0, "")
    steps = r"""AI usage warehouse in \S+/home
  example +[\d.]+ s   landing/ was empty: put in 90 days of an invented organisation, \
[\d,]+ requests of 40 users
  gateway +[\d.]+ s   [\d,]+ events from \d+ new files
 +fields that are not read, named this once: prompt_text
  litellm +[\d.]+ s   [\d,]+ events from \d+ new files
 +fields that are not read, named this once: .*messages.*
  otel +[\d.]+ s   [\d,]+ events from \d+ new files
 +fields that are not read, named this once: .*kind.*
  models +[\d.]+ s   \d+ models built, \d+ tests passed
  publish +[\d.]+ s   \d+ tables

Published \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC, days in UTC
  \S+/published/page/index.html +the Reports page: open it in a browser
  \S+/published/reports.duckdb +for BI tools
  \S+/published/parquet +for notebooks and lakes
  \S+/published/data_docs/index.html +what Great Expectations found

([\d,]+) requests of 40 users, [\d,]+ tokens, \$[\d,.]+, \
from \d{4}-\d\d-\d\d to \d{4}-\d\d-\d\d
""".replace("\\\n", "")
    printed = re.fullmatch(steps, done.stdout)
    assert printed, done.stdout
    assert job.query("select count(*) from core.fct_requests") == [
        (int(printed[1].replace(",", "")),)
    ]
    results = json.loads((job.home / "dbt/run_results.json").read_text())["results"]
    passed = [result for result in results if result["status"] == "pass"]
    assert len(passed) == declared_data_tests()


def test_second_run_changes_nothing(job: Job) -> None:
    published, warehouse = job.state(), digest(job.home / "warehouse.duckdb")
    done = job.run()
    assert (done.returncode, done.stderr) == (0, "")
    assert "\nNothing new has landed: what was published stands.\n" in done.stdout
    assert len(re.findall(r"^  (?:gateway|litellm|otel) .* nothing new$", done.stdout, re.M)) == 3
    assert job.state() == published
    assert digest(job.home / "warehouse.duckdb") == warehouse


def test_once_a_week_all_of_raw_is_checked_though_nothing_is_new(job: Job) -> None:
    (path, *_) = sorted((job.home / "raw").glob("gateway/*/*.parquet"))
    whole, note = path.read_bytes(), job.home / "built_from.json"
    path.write_bytes(whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:])
    assert job.run().returncode == 0
    noted = json.loads(note.read_text())
    week = datetime.fromisoformat(noted["checked_on"]) - timedelta(7)
    note.write_text(json.dumps(noted | {"checked_on": f"{week:%Y-%m-%d}"}))
    published = job.state()
    done = job.run()
    assert done.returncode == 1
    assert f"{path} is damaged: " in done.stdout
    assert job.state() == published
    path.write_bytes(whole)
    assert job.run().returncode == 0
    assert json.loads(note.read_text())["checked_on"] > f"{week:%Y-%m-%d}"


def test_lost_history_stops_the_night(job: Job) -> None:
    """The ledger's entries are gone, and what had landed was cleared: nothing is published."""
    published = job.state()
    shutil.rmtree(job.home / "landing")
    for path in (job.home / "raw/loads").iterdir():
        path.unlink()
    raw = sorted((job.home / "raw").glob("*/event_date=*/*"))
    done = job.run()
    assert done.returncode == 1
    assert "What was taken in before is not there any more:" in done.stdout
    assert job.state() == published
    assert sorted((job.home / "raw").glob("*/event_date=*/*")) == raw


def test_unknown_time_zone(project: Path, tmp_path: Path) -> None:
    done = Job(project, tmp_path / "home").run(AI_USAGE_REPORTING_TIME_ZONE="Europe/Atlantis")
    assert done.returncode == 1
    assert "Stopped. reporting_time_zone is 'Europe/Atlantis'" in done.stdout
    assert "AI_USAGE_REPORTING_TIME_ZONE" in done.stdout


def test_second_run_at_once_stops(project: Path, tmp_path: Path) -> None:
    """Here the first run is one that this process pretends; its dead ancestor left its name."""
    job = Job(project, tmp_path / "home")
    job.home.mkdir()
    lock = "process 4711, since 2026-11-20 01:02:03 UTC"
    with (job.home / "run.lock").open("w") as file:
        file.write(lock)
        file.flush()
        fcntl.flock(file, fcntl.LOCK_EX)
        done = job.run()
        assert done.returncode == 1
        assert f"Stopped. Another run is at work in {job.home}: {lock}." in done.stdout
        # Nothing is left of it, and Dagster stops just so: the run it starts may be the second.
        assert not any((job.home / "landing").iterdir())
        script = (
            "from orchestration.operations.night import run_job\n"
            "from orchestration.settings import UserError, load_settings\n"
            "try:\n    run_job(load_settings())\nexcept UserError as error:\n    print(error)"
        )
        done = job.python("-c", script, PYTHONPATH=str(project))
        assert f"Another run is at work in {job.home}: {lock}." in done.stdout, done.stderr
        assert not any((job.home / "raw").iterdir())


# What stays up between the nights.


STOP = """mutation {
  stopRunningSchedule(id: "%s") { __typename ... on PythonError { message } }
}"""
SCHEDULES = '{ schedulesOrError(repositorySelector: {repositoryName: "__repository__", \
repositoryLocationName: "orchestration.definitions"}) { ... on Schedules \
{ results { scheduleState { id status } } } } }'
ANSWERED = [
    {},
    {"Host": "LOCALHOST:{port}"},
    {"Host": "[::1]:{port}"},
    {"Origin": "http://127.0.0.1:{port}", "Sec-Fetch-Site": "same-origin"},
]
FOREIGN = [
    ({"Host": "evil.example", "Referer": "http://evil.example/"}, 400),
    ({"Host": "evil.example:{port}", "Origin": "http://evil.example:{port}"}, 400),
    ({"Host": "127.0.0.1.evil.example:{port}"}, 400),
    ({"Host": "127.0.0.1:{port}@evil.example"}, 400),
    ({"Origin": "http://evil.example"}, 403),
    ({"Origin": "http://127.0.0.1:8888"}, 403),
    ({"Origin": "http://127.0.0.1:{port}.evil.example"}, 403),
    ({"Origin": "null"}, 403),
    ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "image"}, 403),
    ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "iframe"}, 403),
    ({"Sec-Fetch-Site": "same-site", "Sec-Fetch-Dest": "empty"}, 403),
]


def ask(
    port: int, method: str, path: str, body: str | None = None, **headers: str
) -> tuple[int, dict, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    told = {name: value.format(port=port) for name, value in headers.items()}
    try:
        connection.request(method, path, body, told)
        answer = connection.getresponse()
        return answer.status, dict(answer.headers), b"" if answer.status == 101 else answer.read()
    finally:
        connection.close()


def assert_no_other_site_commands_dagster(port: int) -> None:
    """Nor does anybody by GET: a picture's address is enough for that."""

    def graphql(query: str, **headers: str) -> tuple[int, bytes]:
        told = {"Content-Type": "application/json"} | headers
        status, _, said = ask(port, "POST", "/graphql", json.dumps({"query": query}), **told)
        return status, said

    def schedule() -> dict:
        status, said = graphql(SCHEDULES)
        assert status == 200, said
        [found] = json.loads(said)["data"]["schedulesOrError"]["results"]
        return found["scheduleState"]

    before = schedule()
    assert before["status"] == "RUNNING"
    stop = STOP % before["id"]
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
        "Sec-WebSocket-Protocol": "graphql-ws",
    }
    by_get = f"/graphql?query={quote(stop)}"
    for headers, status in FOREIGN:
        assert graphql(stop, **headers)[0] == status, headers
        # A form's, of which browsers ask nobody for leave.
        plain = {"Content-Type": "text/plain"} | headers
        assert ask(port, "POST", by_get, "", **plain)[0] == status, headers
        assert ask(port, "GET", by_get, **headers)[0] == status, headers
        assert ask(port, "GET", "/graphql", **(upgrade | headers))[0] == status, headers
    for method in ("GET", "HEAD", "PUT"):
        assert ask(port, method, by_get)[0] == 405, method
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    link["Sec-Fetch-Dest"] = "document"
    assert ask(port, "GET", "/runs", **link)[0] == 200
    assert ask(port, "GET", by_get, **link)[0] == 405
    assert ask(port, "POST", by_get, "", **link)[0] == 403
    for headers in ANSWERED:
        assert graphql("{ version }", **headers)[0] == 200, headers
        assert ask(port, "GET", "/graphql", **(upgrade | headers))[0] == 101, headers
    assert schedule() == before
    assert b"stopRunningSchedule" in graphql(stop)[1]
    assert schedule()["status"] == "STOPPED"


def assert_only_the_page_is_served(port: int, job: Job) -> None:
    """No lists of folders, nothing beside it, and to no other site a part of it."""
    page = job.published / "page"
    (page / "folder").mkdir()
    (page / "folder" / "data.js").write_text("secret()")
    for path in ("/folder", "/folder/", "/nothing", "/../build.json", "/%2e%2e/reports.duckdb"):
        assert ask(port, "GET", path)[0] == 404, path
    for headers, status in FOREIGN:
        assert ask(port, "GET", "/folder/data.js", **headers)[0] == status, headers
    assert ask(port, "POST", "/index.html", "")[0] == 405
    for headers in ANSWERED:
        assert ask(port, "GET", "/folder/data.js", **headers)[0] == 200, headers
    declared = 'http-equiv="Content-Security-Policy" content="{}"'
    for path in ("/", "/index.html", "/data_docs/", "/data_docs/published.html"):
        status, headers, said = ask(port, "GET", path)
        policy, _, framed = headers["content-security-policy"].rpartition("; ")
        assert (status, framed) == (200, "frame-ancestors 'none'")
        assert declared.format(policy) in said.decode()
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-resource-policy"] == "same-origin"


def test_serve(job: Job) -> None:
    ports = free_port(), free_port()
    settings = {"AI_USAGE_DAGSTER_PORT": str(ports[0]), "AI_USAGE_PAGE_PORT": str(ports[1])}
    serving = subprocess.Popen(
        [sys.executable, "-m", "orchestration", "serve"],
        cwd=job.project,
        env=job.environment(**settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        page = wait_for(f"http://127.0.0.1:{ports[1]}/index.html")
        assert page == (job.published / "page/index.html").read_bytes()
        docs = wait_for(f"http://127.0.0.1:{ports[1]}/data_docs")
        assert docs == (job.published / "data_docs/index.html").read_bytes()
        assert b"dagster_version" in wait_for(f"http://127.0.0.1:{ports[0]}/server_info")
        # Only who sits at this machine is served.
        rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        listening = [row[1] for row in rows if row[3] == "0A"]
        at = {
            address for address in listening for port in ports if address.endswith(f":{port:04X}")
        }
        assert at == {f"0100007F:{port:04X}" for port in ports}
        assert_no_other_site_commands_dagster(ports[0])
        assert_only_the_page_is_served(ports[1], job)
        serving.terminate()
        printed, _ = serving.communicate(timeout=90)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(serving.pid, signal.SIGKILL)
    assert serving.returncode == 0, printed
    assert "Traceback" not in printed


def test_history_in_postgres(job: Job, postgres: Postgres) -> None:
    before, sqlite = job.state(), digest(job.home / "dagster/history/runs.db")
    done = job.run(AI_USAGE_DAGSTER_POSTGRES_URL=postgres.url())
    assert (done.returncode, done.stderr) == (0, "")
    with psycopg2.connect(postgres.url()) as connection, connection.cursor() as cursor:
        cursor.execute("select pipeline_name, status from runs")
        assert cursor.fetchall() == [("nightly_rebuild", "SUCCESS")]
        cursor.execute("select count(*) from event_logs")
        assert cursor.fetchone()[0] > 10
    assert digest(job.home / "dagster/history/runs.db") == sqlite
    with webhook() as (address, told):
        wrong = {"AI_USAGE_DAGSTER_POSTGRES_URL": postgres.url(port=free_port())}
        failed = job.run(AI_USAGE_ALERT_WEBHOOK_URL=address, **wrong)
    assert failed.returncode == 1
    assert "Dagster's history cannot be kept" in failed.stdout
    assert "Dagster's history cannot be kept" in told[0]["text"]
    assert job.state() == before
    for secret in (postgres.password, quote(postgres.password, safe="")):
        assert secret not in f"{done.stdout}{failed.stdout}{failed.stderr}{told}"
        for path in job.home.rglob("*"):
            assert not path.is_file() or secret.encode() not in path.read_bytes(), path


def wait_for(address: str) -> bytes:
    until = time.monotonic() + 120
    while True:
        try:
            with urllib.request.urlopen(address, timeout=5) as answer:
                return answer.read()
        except OSError:
            assert time.monotonic() < until, address
            time.sleep(0.5)


def test_rebuild_and_rollback_by_hand(job: Job) -> None:
    before, current = job.query("from core.fct_sessions order by all"), job.published / "current"
    first = current.readlink()
    done = job.python("-m", "orchestration", "rebuild", "--first-date", "2026-01-01")
    assert done.returncode == 0, done.stdout + done.stderr
    assert current.readlink() != first
    assert job.query("from core.fct_sessions order by all") == before
    done = job.python("-m", "orchestration", "rollback")
    assert done.returncode == 0, done.stdout
    assert current.readlink() == first
    done = job.python("-m", "orchestration", "rebuild", "--last-date", "yesterday")
    assert done.returncode == 1
    assert "Stopped. A day to rebuild is written like 2026-01-31" in done.stdout


# Requests past retention, of which tests/integration/test_retention.py tells more.


def test_retention(job: Job) -> None:
    reports = "from cost.cost_by_day_ai_and_user order by all"
    before, kept = job.query(reports), datetime.now(UTC).date() - timedelta(30)
    older = f"select count(*) from core.fct_requests where usage_date < '{kept}'"
    [(gone,)] = job.query(older)
    warehouse = job.home / "warehouse.duckdb"
    size = warehouse.stat().st_size
    done = job.run(AI_USAGE_RETENTION_DAYS="30")
    assert done.returncode == 0, done.stdout
    days = f"up to {kept - timedelta(1)}, were archived as sums"
    assert re.search(rf"^  retention .* {gone:,} requests of \d+ days, {days}$", done.stdout, re.M)
    assert job.query(reports) == before
    assert job.query(older) == [(0,)]
    # Written anew, since a database keeps what was deleted in it.
    assert warehouse.stat().st_size < size
    assert not (job.published / "previous").exists()
    assert len(list((job.published / "versions").iterdir())) == 1
    done = job.run(AI_USAGE_RETENTION_DAYS="30")
    assert "Nothing new has landed" in done.stdout


# Forgetting a person.


def wait_while(holds: Callable[[], bool], running: Run) -> None:
    while holds():
        assert not running.has_ended(), running.said()
        time.sleep(0.01)


def test_forget(job: Job) -> None:
    by_user = "select user_id, count(*), sum(total_tokens), sum(cost_usd) from core.fct_requests"
    before = {user: figures for user, *figures in job.query(f"{by_user} group by 1")}
    names = dict(job.query("select user_id, user_name from core.dim_users"))
    user_id = max((u for u in before if u and names[u] != u), key=before.get)
    user_name = names[user_id]
    found = {path.parts[0] for path in files_naming(job.home, user_id)}
    assert {"landing", "raw", "warehouse.duckdb", "published"} <= found
    assert user_name != user_id

    done = job.python("-m", "orchestration", "forget", PERSON=user_id)
    assert done.returncode == 1
    assert f"\n{user_id}: {before[user_id][0]:,} requests from " in done.stdout
    assert "A script says YES=1" in done.stdout

    # Killed once the warehouse is gone, and once it is built again: people go on reading, and
    # saying it again finishes it.
    warehouse = job.home / "warehouse.duckdb"
    for is_built_again in (False, True):
        running = job.start("-m", "orchestration", "forget", "--yes", PERSON=user_id)
        wait_while(warehouse.exists, running)
        if is_built_again:
            wait_while(lambda: not warehouse.exists(), running)
        running.kill()
        assert {user: f for user, *f in job.query(f"{by_user} group by 1")} == before

    done = job.python("-m", "orchestration", "forget", "--yes", PERSON=user_id)
    assert done.returncode == 0, done.stdout + done.stderr
    assert files_naming(job.home, user_id) == files_naming(job.home, user_name) == []
    after = {user: figures for user, *figures in job.query(f"{by_user} group by 1")}
    assert after == {("(forgotten)" if u == user_id else u): f for u, f in before.items()}
    assert not (job.published / "previous").exists()
    # Nothing of it is undone by the next night, nor by saying it again.
    done = job.run()
    assert "Nothing new has landed" in done.stdout
    done = job.python("-m", "orchestration", "forget", "--yes", PERSON=user_id)
    assert done.returncode == 1
    assert f"names the user '{user_id}'" in done.stdout


# What a blocked night leaves.


def test_blocked_night(job: Job, tmp_path: Path) -> None:
    """A wrong model and wrong prices are blocked, and leave nothing behind once put right."""
    job = Job(copy_of_project(tmp_path / "project", is_parsed=True), job.home)
    before, totals = job.state(), "select count(*), sum(total_tokens) from core.fct_requests"
    [(requests, tokens)] = job.query(totals)

    prices = job.project / "seeds/price_overrides.csv"
    model = job.project / "models/core/requests/int_requests.sql"
    right = {path: path.read_text() for path in (prices, model)}
    overlapping = (
        "acme,acme-chat-70b,2025-01-01,2025-07-01,1,,,2,," + 11 * ",",
        "acme,acme-chat-70b,2025-06-01,,1,,,2,," + 11 * ",",
    )
    prices.write_text("\n".join([right[prices].rstrip("\n"), *overlapping, ""]))
    doubled = right[model].replace(
        "{{ token_types() | map(attribute='tokens') | join(', ') }},",
        "{% for type in token_types() %} 2 * {{ type.tokens }} as {{ type.tokens }}, {% endfor %}",
    )
    assert doubled != right[model]
    model.write_text(doubled)
    with webhook() as (address, alerts):
        done = job.run(AI_USAGE_ALERT_WEBHOOK_URL=address)
    assert done.returncode == 1
    [told] = alerts
    assert "Nothing was published, since not all holds:" in told["text"]
    assert "assert_price_overrides_do_not_overlap" in told["text"]
    assert "Readers have the figures that were published 2" in told["text"]
    assert "Stopped. Nothing was published, since not all holds:" in done.stdout
    test = "assert_price_overrides_do_not_overlap"
    assert f"  tests/singular/{test}.sql: {test}\n" in done.stdout
    assert job.state() == before
    # In Dagster each test that failed is a check that failed, with its rows.
    results = json.loads((job.home / "dbt/run_results.json").read_text())["results"]
    failed = {r["unique_id"].split(".")[2] for r in results if r["status"] == "fail"}
    with sqlite3.connect(job.home / "dagster/history/runs/index.db") as history:
        checks = dict(
            history.execute(
                "select check_name, evaluation_event from asset_check_executions "
                "where execution_status = 'FAILED'"
            )
        )
    assert test in failed == checks.keys()
    assert "acme-chat-70b" in checks[test]

    for path, text in right.items():
        path.write_text(text)
    simulate(
        tmp_path / "more",
        truth=None,
        days=2,
        users=12,
        seed=5,
        last_day=datetime(2026, 1, 15).date(),
    )
    for file in (tmp_path / "more").glob("*/*"):
        shutil.copy2(file, job.home / "landing" / file.parent.name)
    # One source stops halfway: a day of it is in place already, the next one has no folder.
    in_the_way = job.home / "raw/otel/event_date=2026-01-15"
    in_the_way.write_text("no folder")
    done = job.run()
    assert done.returncode == 1
    assert "Stopped. All else was done, but:\nTaking in otel stopped: " in done.stdout
    sources = "select distinct source from core.fct_requests where usage_date <= '2026-01-15'"
    assert "otel" not in {source for (source,) in job.query(sources)} != set()
    in_the_way.unlink()
    done = job.run()
    assert done.returncode == 0, done.stdout
    assert ("otel",) in job.query(sources)
    old_days = f"{totals} where usage_date > '2026-01-15'"
    assert job.query(old_days) == [(requests, tokens)]
    assert job.query(totals)[0][0] > requests


def test_renamed_model_is_noticed(tmp_path: Path) -> None:
    """Its new file is as old as the old one was."""
    job = Job(copy_of_project(tmp_path / "project", is_parsed=True), tmp_path / "home")
    models = job.project / "models/core/names"
    script = (
        "import json; from orchestration.warehouse.project import project\n"
        "print(list(json.loads(project().manifest_path.read_text())['nodes']))"
    )
    assert "'model.ai_usage.dim_users'" in job.python("-c", script).stdout
    (models / "dim_users.sql").rename(models / "dim_people.sql")
    assert "'model.ai_usage.dim_people'" in job.python("-c", script).stdout


# What is published.


def test_published_files(first_night: tuple[Job, object]) -> None:
    job, _ = first_night
    version = (job.published / "current").resolve()
    assert [path.name for path in (job.published / "versions").iterdir()] == [version.name]
    assert {path.name for path in version.iterdir()} >= {"reports.duckdb", "parquet", "build.json"}
    assert list(job.published.rglob("*.wal")) == []
    # Storage version 64, which every DuckDB since 0.10 can read.
    header = (version / "reports.duckdb").read_bytes()[:20]
    assert (header[8:12], int.from_bytes(header[12:20], "little")) == (b"DUCK", 64)

    tables = json.loads((version / "build.json").read_text())["tables"]
    found = "select schema_name || '.' || table_name, comment from duckdb_tables()"
    comments = dict(job.query(found))
    assert set(comments) == set(tables)
    assert all(comments.values())
    uncommented = "select table_name, column_name from duckdb_columns() where not internal"
    assert job.query(f"{uncommented} and coalesce(comment, '') = ''") == []

    # A file a table, but for what is replaced by day: a file a month.
    paths = {table: f"parquet/{table.replace('.', '/')}" for table in tables}
    by_month = {table for table, path in paths.items() if (version / path).is_dir()}
    assert {"core.fct_requests", "technical.response_times_by_user"} <= by_month
    names = {
        table: f"{path}/*.parquet" if table in by_month else f"{path}.parquet"
        for table, path in paths.items()
    }
    with duckdb.connect(str(job.published / "reports.duckdb"), read_only=True) as connection:
        for table, rows in tables.items():
            parquet = f"'{job.published}/{names[table]}'"
            assert connection.sql(f"select count(*) from {table}").fetchall() == [(rows,)]
            for a, b in ((table, parquet), (parquet, table)):
                assert connection.sql(f"from {a} except all from {b} limit 1").fetchall() == []
            types = [connection.sql(f"from {name}").types for name in (table, parquet)]
            assert types[0] == types[1]
    files = {
        re.sub(r"\d{4}-\d\d\.parquet", "*.parquet", str(path.relative_to(version)))
        for path in version.rglob("*.parquet")
    }
    assert files == set(names.values())


PUBLISH = """
import resource, sys
from orchestration.warehouse.project import project, public_models
from orchestration.publication import publish
from orchestration.settings import UserError, load_settings
from orchestration.warehouse.fingerprints import BuiltFrom

settings, models = load_settings(), public_models(project())
if sys.argv[1:]:
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)
try:
    publish(settings, models, BuiltFrom(models={"fct_requests": "test"}, inputs="test"))
except UserError as error:
    print(error)
"""


def test_reader_keeps_the_version_it_has_open(job: Job) -> None:
    reports, rows = str(job.published / "reports.duckdb"), "from core.fct_requests order by all"
    before = job.query(rows)
    # One that has read nothing yet of the file that it opened.
    with duckdb.connect(reports, read_only=True) as reader:
        versions = {(job.published / "current").readlink()}
        for _ in range(3):
            assert job.python("-c", PUBLISH).stdout == ""
            versions.add((job.published / "current").readlink())
            # Another process opens the new version beside the old one's reader.
            script = f"import duckdb; duckdb.connect({reports!r}, read_only=True).sql({rows!r})"
            assert job.python("-c", script).returncode == 0
        assert len(versions) == 4
        assert reader.sql(rows).fetchall() == before
    kept = {path.name for path in (job.published / "versions").iterdir()}
    links = [job.published / name for name in ("current", "previous")]
    assert kept == {link.resolve().name for link in links}


@pytest.mark.parametrize("largest_file", [10_000, 1_000_000])
def test_publication_that_fails_leaves_what_was_published(job: Job, largest_file: int) -> None:
    """As on a full disk, when a file is made, and when a table is committed."""
    before = job.state()
    said = job.python("-c", PUBLISH, str(largest_file))
    assert "What was published before still stands" in said.stdout, said.stderr
    assert "File too large" in said.stdout
    assert job.state() == before
    assert job.python("-c", PUBLISH).stdout == ""
    assert (job.published / "previous").readlink() != (job.published / "current").readlink()


def test_publication_on_a_full_disk(job: Job) -> None:
    """The same with a file system of its own, where this process may make one."""
    content = job.published.rename(job.home / "content")
    job.published.mkdir()
    size = sum(path.stat().st_size for path in content.rglob("*") if path.is_file())
    options = f"size={size * 13 // 10240}k"
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(job.published)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("no permission to mount a file system")
    try:
        shutil.copytree(content, job.published, symlinks=True, dirs_exist_ok=True)
        before = job.state()
        said = job.python("-c", PUBLISH)
        assert "No space left on device" in said.stdout, said.stderr
        assert job.state() == before
    finally:
        subprocess.run(["umount", str(job.published)], check=True)


def test_publication_without_a_place(job: Job) -> None:
    (job.published / "versions").rename(job.published / "moved")
    (job.published / "versions").write_text("no folder")
    said = job.python("-c", PUBLISH)
    assert said.stdout.startswith("Publishing stopped: "), said.stderr
