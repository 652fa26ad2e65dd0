"""Nights that land from object storage and publish to it, with an S3 server of our own beside them.

The server checks credentials and permissions.
"""

import contextlib
import gzip
import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import boto3
import duckdb
import pytest
import s3fs
from conftest import Warehouse, files_naming, free_port
from test_nightly_job import Job, copy_of_project, wait_while

from examples.simulator import simulate
from orchestration.ingestion import ingest
from orchestration.ingestion.summary import Summary
from orchestration.settings import UserError, load_settings
from orchestration.sources import SOURCES

pytestmark = pytest.mark.slow

GATEWAY = (
    '{"request_id": "r%d", "requested_at": "2025-11-01T12:00:00Z", "provider": "openai", '
    '"model": "gpt-4o", "input_tokens": 10, "output_tokens": 5}\n'
)
LITELLM = {"model": "gpt-4o", "prompt_tokens": 10, "completion_tokens": 5, "metadata": {}}
ALL, LIST_ONLY = "s3:*", "s3:ListBucket"
MIRROR = (
    "from orchestration.publication.mirror import mirror_current\n"
    "from orchestration.settings import UserError, load_settings\n"
    "try: mirror_current(load_settings())\n"
    "except UserError as error: print(error)\n"
)


class Server:
    """An S3 server on loopback, with one bucket; what it holds goes with it."""

    def __init__(self) -> None:
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [str(Path(sys.executable).with_name("moto_server")), "-p", str(self.port)],
            stderr=subprocess.DEVNULL,
        )
        until = time.monotonic() + 60
        while True:
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"{self.address}/moto-api/")
                break
            assert time.monotonic() < until
            time.sleep(0.1)
        self.client = self.client_of("anybody", "nothing")
        self.client.create_bucket(Bucket="ours")
        self.keys = self.user(ALL)
        self.keys_to_list = self.user(LIST_ONLY)
        # From here on it looks at who asks.
        request = urllib.request.Request(
            f"{self.address}/moto-api/reset-auth", b"0", {"Content-Type": "text/plain"}
        )
        urllib.request.urlopen(request)
        self.client = self.client_of(*self.keys)

    def client_of(self, key: str, secret: str, service: str = "s3") -> Any:
        return boto3.client(
            service,
            region_name="us-east-1",
            endpoint_url=self.address,
            aws_access_key_id=key,
            aws_secret_access_key=secret,
        )

    def user(self, action: str) -> tuple[str, str]:
        iam = self.client_of("anybody", "nothing", "iam")
        name = action.replace(":", "-").replace("*", "all")
        iam.create_user(UserName=name)
        statement = {"Effect": "Allow", "Action": action, "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.put_user_policy(UserName=name, PolicyName=name, PolicyDocument=policy)
        keys = iam.create_access_key(UserName=name)["AccessKey"]
        return keys["AccessKeyId"], keys["SecretAccessKey"]

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def settings(self, name: str, **others: str) -> dict[str, str]:
        """The environment of somebody who lands from and publishes to folders of that name."""
        return {
            "AI_USAGE_LANDING_URL": f"s3://ours/{name}/landing",
            "AI_USAGE_PUBLISH_URL": f"s3://ours/{name}/published/",
            "AWS_ENDPOINT_URL": self.address,
            "AWS_ACCESS_KEY_ID": self.keys[0],
            "AWS_SECRET_ACCESS_KEY": self.keys[1],
            "AWS_DEFAULT_REGION": "us-east-1",
        } | others

    def put(self, name: str, content: bytes | str) -> None:
        self.client.put_object(Bucket="ours", Key=name, Body=content)

    def get(self, name: str) -> bytes:
        return self.client.get_object(Bucket="ours", Key=name)["Body"].read()

    def objects(self, folder: str) -> dict[str, tuple]:
        """Names relative to the folder; when each was written, and its content's tag."""
        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket="ours", Prefix=f"{folder}/"
        )
        return {
            found["Key"].removeprefix(f"{folder}/"): (found["LastModified"], found["ETag"])
            for page in pages
            for found in page.get("Contents", [])
        }


class RemoteJob(Job):
    """A job whose every run is one on object storage; no run ever shows a secret."""

    def __init__(self, project: Path, home: Path, server: Server, name: str) -> None:
        super().__init__(project, home)
        self.server, self.name = server, name

    def environment(self, **settings: str) -> dict[str, str]:
        return super().environment(**self.server.settings(self.name, **settings))

    def python(self, *arguments: str, **settings: str) -> subprocess.CompletedProcess:
        done = super().python(*arguments, **settings)
        for secret in (*self.server.keys, "a-wrong-secret"):
            assert secret not in done.stdout + done.stderr
        return done

    def land(self, folder: Path, is_wanted: Callable[[Path], bool] = lambda _: True) -> None:
        for path in sorted(folder.glob("*/*")):
            if is_wanted(path):
                name = path.relative_to(folder).as_posix()
                self.server.put(f"{self.name}/landing/{name}", path.read_bytes())

    def remote(self) -> dict[str, tuple]:
        return self.server.objects(f"{self.name}/published")

    def current_json(self) -> dict:
        return json.loads(self.server.get(f"{self.name}/published/current.json"))

    def set_aside(self, name: str) -> "RemoteJob":
        return RemoteJob(self.project, super().set_aside(name).home, self.server, self.name)

    def copy(self, name: str | None = None, server: Server | None = None) -> "RemoteJob":
        """The same files here; with a name of its own, or a server, nothing on object storage."""
        home = super().copy().home
        return RemoteJob(self.project, home, server or self.server, name or self.name)

    def assert_mirrored(self) -> None:
        """What is published here, and nothing else, is on object storage, byte by byte."""
        versions = self.published / "versions"
        current = (self.published / "current").resolve()
        previous = self.published / "previous"
        # One that was left by rolling back stays here for who has it open, and for nobody else.
        expected = {
            f"versions/{path.relative_to(versions)}": path
            for version in {current, previous.resolve() if previous.exists() else current}
            for path in version.rglob("*")
            if path.is_file()
        }
        for path in current.rglob("*"):
            if path.is_file() and path.name != "build.json":
                expected[str(path.relative_to(current))] = path
        assert set(self.remote()) == {"current.json", *expected}
        for name, path in expected.items():
            content = self.server.get(f"{self.name}/published/{name}")
            assert content == path.read_bytes(), name
        assert self.current_json() == {
            "version": current.name,
            "previous": previous.resolve().name if previous.exists() else None,
            "built_at": json.loads((current / "build.json").read_text())["built_at"],
            "fixed_names": current.name,
        }


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.kill()


@pytest.fixture(scope="module")
def landing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("organisation") / "landing"
    simulate(folder, truth=None, days=4, users=8, seed=7, last_day=date(2025, 11, 10))
    return folder


@pytest.fixture(scope="module")
def first_night(
    server: Server, landing: Path, tmp_path_factory: pytest.TempPathFactory
) -> RemoteJob:
    folder = tmp_path_factory.mktemp("remote")
    job = RemoteJob(
        copy_of_project(folder / "project", is_parsed=True), folder / "home", server, "first"
    )
    job.land(landing)
    done = job.run()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "and the same under s3://ours/first/published\n" in done.stdout
    return job.set_aside("first_night")


def tables_of(path: Path) -> dict[str, list[tuple]]:
    with duckdb.connect(str(path), read_only=True) as connection:
        names = connection.execute(
            "select schema_name || '.' || table_name from duckdb_tables()"
        ).fetchall()
        return {name: connection.sql(f"from {name} order by all").fetchall() for (name,) in names}


# Nights.


def test_a_night_is_that_of_the_same_files_on_disk(
    first_night: RemoteJob, landing: Path, tmp_path: Path
) -> None:
    on_disk = Job(first_night.project, first_night.home.with_name("home"))
    shutil.rmtree(on_disk.home, ignore_errors=True)
    shutil.copytree(landing, on_disk.home / "landing")
    for name, (landed_at, _) in first_night.server.objects("first/landing").items():
        # How late events are depends on it.
        os.utime(on_disk.home / "landing" / name, (landed_at.timestamp(),) * 2)
    assert on_disk.run().returncode == 0
    (tmp_path / "reports.duckdb").write_bytes(
        first_night.server.get("first/published/reports.duckdb")
    )
    tables = tables_of(tmp_path / "reports.duckdb")
    assert tables == tables_of(on_disk.published / "reports.duckdb")
    assert len(tables["core.fct_requests"]) > 100
    first_night.assert_mirrored()
    page = first_night.server.client.head_object(
        Bucket="ours", Key="first/published/page/index.html"
    )
    assert page["ContentType"] == "text/html"
    # Neither copies of what landed nor the example is left here, nor a secret anywhere.
    assert [p for p in (first_night.home / "landing").rglob("*") if p.is_file()] == []
    assert list((first_night.home / "tmp").iterdir()) == []
    for secret in first_night.server.keys:
        assert files_naming(first_night.home, secret) == []


def test_the_nights_after(first_night: RemoteJob, tmp_path: Path) -> None:
    job = first_night.copy()
    before, state = job.remote(), job.state()
    done = job.run()
    assert done.returncode == 0
    assert "Nothing new has landed" in done.stdout
    assert (job.remote(), job.state()) == (before, state)

    simulate(tmp_path / "more", truth=None, days=1, users=8, seed=8, last_day=date(2025, 11, 11))
    [late, *_] = sorted((tmp_path / "more").glob("litellm/*"))
    whole = gzip.compress(late.read_bytes()) if late.suffix != ".gz" else late.read_bytes()
    job.server.put("first/landing/litellm/cut.jsonl.gz", whole[: len(whole) // 2])
    job.land(tmp_path / "more", lambda path: path != late)
    done = job.run()
    assert done.returncode == 0, done.stdout
    assert "litellm/cut.jsonl.gz cannot be read and is tried again next time: " in done.stdout
    [(one_day_more,)] = job.query("select max(usage_date) from usage.usage_by_day")
    assert one_day_more == date(2025, 11, 11)
    assert len(list((job.published / "versions").iterdir())) == 2
    job.assert_mirrored()

    # Back to the version before, and never forth again: the one left is on object storage no more.
    right = job.current_json()["previous"]
    for code in (0, 1):
        done = job.python("-m", "orchestration", "rollback")
        assert done.returncode == code, done.stdout + done.stderr
        assert job.current_json()["version"] == right
        assert job.current_json()["previous"] is None
        job.assert_mirrored()
    # The next night publishes what was left anew, after the one that was right.
    assert job.run().returncode == 0
    assert job.query("select max(usage_date) from usage.usage_by_day") == [(one_day_more,)]
    assert job.current_json()["previous"] == right
    assert len(list((job.published / "versions").iterdir())) == 2
    job.assert_mirrored()

    # A bucket that is not there: said once, and what is published stands.
    state, before = job.state(), job.remote()
    done = job.run(AI_USAGE_LANDING_URL="s3://nobodys/landing")
    assert done.returncode == 1
    assert "Stopped. All else was done, but:\nAI_USAGE_LANDING_URL: s3://" in done.stdout
    assert done.stdout.count("there is no such bucket") == 1
    assert (job.state(), job.remote()) == (state, before)
    # One that may not be written: what is published here stands, there it is the one before.
    job.server.put("first/landing/litellm/cut.jsonl.gz", whole)
    requests = "select count(*) from core.fct_requests where source = 'litellm'"
    before_it = job.query(requests)
    done = job.run(AI_USAGE_PUBLISH_URL="s3://nobodys/published")
    assert done.returncode == 1
    assert "Stopped. All else was done, but:\nAI_USAGE_PUBLISH_URL: s3://" in done.stdout
    assert job.query(requests) > before_it
    assert job.remote() == before
    with pytest.raises(AssertionError):
        job.assert_mirrored()
    # Nothing new any more, and yet it is completed.
    done = job.run()
    assert done.returncode == 0
    assert "Nothing new has landed" in done.stdout
    job.assert_mirrored()


def test_killed_while_it_copies(first_night: RemoteJob, tmp_path: Path) -> None:
    job = first_night.copy("killed")
    job.python("-c", MIRROR)
    job.assert_mirrored()
    earlier = job.current_json()
    make_a_version(job)
    marks = (
        lambda: any(new_version(job) in name for name in job.remote()),
        lambda: job.current_json()["fixed_names"] is None,
    )
    for mark in marks:
        running = job.start("-c", MIRROR)
        while not mark():
            assert not running.has_ended(), running.said()
        running.kill()
        current = job.current_json()
        # Whichever version is said to be current is whole.
        version = (job.published / "versions" / current["version"]).resolve()
        names = {str(p.relative_to(version)) for p in version.rglob("*") if p.is_file()}
        assert {f"versions/{version.name}/{name}" for name in names} <= set(job.remote())
        assert current["fixed_names"] != new_version(job)
    assert current["version"] == new_version(job) != earlier["version"]
    assert job.python("-c", MIRROR).stdout.startswith("  copy ")
    job.assert_mirrored()
    # Only what is not there: with nothing to do nothing is even said.
    assert job.python("-c", MIRROR).stdout == ""


def test_the_server_goes_away_while_it_copies(first_night: RemoteJob, tmp_path: Path) -> None:
    """And comes back with nothing in it."""
    server = Server()
    job = first_night.copy("gone", server)
    running = job.start("-c", MIRROR)
    try:
        while not job.remote():
            assert not running.has_ended(), running.said()
        server.kill()
        running.wait(120)
        said = running.said() + running.complained()
        assert re.search(r"^AI_USAGE_PUBLISH_URL: s3://ours/gone/published cannot be used: ", said)
        assert f"What is in {job.published} stands, but readers of s3://ours/gone/published" in said
        assert said.count("\n") == 2
        assert not set(server.keys) & set(re.findall(r"[\w/+]+", said))
        # The landing cannot be read either, and rollback must not leave the two apart.
        state = job.state()
        done = job.run()
        assert done.returncode == 1
        assert "AI_USAGE_LANDING_URL: s3://ours/gone/landing cannot be used: " in done.stdout
        make_a_version(job)
        state = job.state()
        done = job.python("-m", "orchestration", "rollback")
        assert done.returncode == 1
        assert "AI_USAGE_PUBLISH_URL: s3://ours/gone/published cannot be used: " in done.stdout
        assert job.state() == state
        server.start()
        assert job.python("-c", MIRROR).stdout.startswith("  copy ")
        job.assert_mirrored()
    finally:
        server.kill()


def make_a_version(job: Job) -> None:
    """A second version, with a report less and other figures, as a night would leave it."""
    published = job.published
    old = (published / "current").resolve()
    new = old.with_name(f"{int(old.name[:8]) + 1}{old.name[8:]}")
    shutil.copytree(old, new)
    (new / "parquet/cost/time_of_use.parquet").unlink()
    (new / "page/index.html").write_text("other figures")
    (published / "previous").unlink(missing_ok=True)
    (published / "previous").symlink_to(Path("versions", old.name))
    (published / "current").unlink()
    (published / "current").symlink_to(Path("versions", new.name))


def new_version(job: Job) -> str:
    return (job.published / "current").resolve().name


# Forgetting a person.


def test_forget(first_night: RemoteJob, landing: Path, tmp_path: Path) -> None:
    job = first_night.copy("forget")
    job.land(landing)
    job.python("-c", MIRROR)
    by_user = "select user_id, count(*), sum(cost_usd) from core.fct_requests group by 1"
    before = {user: figures for user, *figures in job.query(by_user)}
    user_id = max((user for user in before if user), key=before.get)

    def objects_naming() -> list[Path]:
        """Everything on object storage that has the id, fetched and read by other means."""
        folder = tmp_path / "fetched"
        shutil.rmtree(folder, ignore_errors=True)
        for name in job.server.objects("forget"):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(job.server.get(f"forget/{name}"))
        return files_naming(folder, user_id)

    assert {path.parts[0] for path in objects_naming()} == {"landing", "published"}
    # Killed once they have left what landed: saying it again finishes it.
    running = job.start("-m", "orchestration", "forget", "--yes", PERSON=user_id)
    warehouse = job.home / "warehouse.duckdb"
    wait_while(warehouse.exists, running)
    wait_while(lambda: not warehouse.exists(), running)
    running.kill()
    assert {path.parts[0] for path in objects_naming()} == {"published"}
    done = job.python("-m", "orchestration", "forget", "--yes", PERSON=user_id)
    assert done.returncode == 0, done.stdout + done.stderr
    assert objects_naming() == files_naming(job.home, user_id) == []
    job.assert_mirrored()
    assert job.current_json()["previous"] is None
    after = {user: figures for user, *figures in job.query(by_user)}
    assert after == {("(forgotten)" if u == user_id else u): f for u, f in before.items()}
    done = job.python("-m", "orchestration", "forget", "--yes", PERSON=user_id)
    assert done.returncode == 1
    assert f"s3://ours/forget/published names the user '{user_id}'" in done.stdout


# What lands.


@pytest.fixture
def remote(
    warehouse: Warehouse,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> Callable[[str, str], None]:
    """Land an object, in a folder that is this test's own."""
    name = re.sub(r"\W", "-", request.node.name)
    for setting, value in server.settings(name).items():
        monkeypatch.setenv(setting, value)
    return lambda path, content: server.put(f"{name}/landing/{path}", content)


def ledger(warehouse: Warehouse) -> list[tuple[str, int]]:
    if not any(warehouse.raw.glob("loads/*")):
        return []
    return duckdb.sql(
        f"select landing_file, size_bytes from '{warehouse.raw}/loads/*.parquet' order by all"
    ).fetchall()


def take_in(warehouse: Warehouse) -> Summary:
    summary = warehouse.ingest()["gateway"]
    assert list((warehouse.home / "tmp").iterdir()) == []
    return summary


def test_names_are_only_names(warehouse: Warehouse, remote: Callable[[str, str], None]) -> None:
    long = "x" * 300
    names = ["a b#c?*[d].jsonl", "day", "day/one.jsonl", "//two.jsonl", f"{long}.jsonl", "é.jsonl"]
    for number, name in enumerate(names):
        remote(f"gateway/{name}", GATEWAY % number)
    remote("gateway/../../../escaped.jsonl", GATEWAY % 90)
    remote("gateway/.hidden.jsonl", GATEWAY % 91)
    remote("gateway/half.jsonl.tmp", GATEWAY % 92)
    remote("gateway/folder/", "")
    remote("gateway/notes.txt", "hello")
    remote("gateway-of-others/three.jsonl", GATEWAY % 93)
    remote("gateway/bad.jsonl", "no JSON\n")
    summary = take_in(warehouse)
    assert (summary.files, summary.accepted, summary.rejected) == (7, 6, 1)
    assert summary.ignored == ["gateway/notes.txt"]
    assert summary.rejections == [("gateway/bad.jsonl", 1, "the line is not JSON")]
    taken_in = [name for name, _ in ledger(warehouse)]
    expected = [f"gateway/{name}" for name in names]
    assert taken_in == sorted([*expected, "gateway/bad.jsonl"])
    assert take_in(warehouse).files == 0
    remote("gateway/day/one.jsonl", GATEWAY % 2 + GATEWAY % 3)
    assert take_in(warehouse).accepted == 2


def test_beside_the_database_of_litellm(
    warehouse: Warehouse, remote: Callable[[str, str], None]
) -> None:
    """What is read of it lands here, where else nothing is taken in."""
    line = json.dumps({"id": "%d", "startTime": 1762000000.5, "endTime": 1762000001.5} | LITELLM)
    remote("litellm/LiteLLM_SpendLogs/one.jsonl", line % 1)
    warehouse.write("litellm/LiteLLM_SpendLogs/two.jsonl", line % 2)
    warehouse.write("litellm/three.jsonl", line % 3)
    assert warehouse.ingest()["litellm"].accepted == 2
    names = ["litellm/LiteLLM_SpendLogs/one.jsonl", "litellm/LiteLLM_SpendLogs/two.jsonl"]
    assert [name for name, _ in ledger(warehouse)] == names
    assert warehouse.ingest()["litellm"].files == 0
    assert (warehouse.landing / names[1]).exists()


def test_an_object_that_changes_while_it_is_fetched(
    warehouse: Warehouse,
    remote: Callable[[str, str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fetch, lines = s3fs.S3FileSystem.get_file, [GATEWAY % 0]

    def changing_for(times: int) -> None:
        def get_file(self: s3fs.S3FileSystem, *arguments: str) -> None:
            fetch(self, *arguments)
            if len(lines) <= times:
                lines.append(GATEWAY % len(lines))
                remote("gateway/growing.jsonl", "".join(lines))

        monkeypatch.setattr(s3fs.S3FileSystem, "get_file", get_file)

    remote("gateway/growing.jsonl", lines[0])
    changing_for(100)
    summary = take_in(warehouse)
    [(name, why)] = summary.unreadable
    assert (name, why) == ("gateway/growing.jsonl", "it changes faster than it can be fetched")
    assert (summary.files, ledger(warehouse)) == (0, [])
    changing_for(len(lines) + 1)
    summary = take_in(warehouse)
    assert (summary.files, summary.accepted) == (1, len(lines))
    assert ledger(warehouse) == [("gateway/growing.jsonl", len("".join(lines)))]
    assert take_in(warehouse).files == 0


def test_one_object_that_cannot_be_had(
    warehouse: Warehouse,
    remote: Callable[[str, str], None],
    monkeypatch: pytest.MonkeyPatch,
    server: Server,
) -> None:
    """The others are taken in."""
    fetch = s3fs.S3FileSystem.get_file

    def get_file(self: s3fs.S3FileSystem, path: str, *arguments: str) -> None:
        if path.endswith("gone.jsonl"):
            server.client.delete_object(Bucket="ours", Key=path.removeprefix("ours/"))
        fetch(self, path, *arguments)
        if path.endswith("damaged.jsonl"):
            raise OSError(f"part 2 of this object is lost, {server.keys[1]}")

    monkeypatch.setattr(s3fs.S3FileSystem, "get_file", get_file)
    for number, name in enumerate(("good", "gone", "damaged")):
        remote(f"gateway/{name}.jsonl", GATEWAY % number)
    summary = take_in(warehouse)
    assert summary.accepted == 1
    assert dict(summary.unreadable) == {
        "gateway/damaged.jsonl": "it could not be fetched: OSError",
        "gateway/gone.jsonl": "it has gone since it was listed",
    }


FAULTS = [
    ({"AWS_SECRET_ACCESS_KEY": "a-wrong-secret"}, "the credentials are wrong, or may not do this"),
    ({"AWS_ACCESS_KEY_ID": "nobody"}, "the credentials are wrong, or may not do this"),
    ({"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}, "NoCredentialsError"),
    ({"AI_USAGE_LANDING_URL": "s3://nobodys/landing"}, "there is no such bucket"),
    ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "EndpointConnectionError"),
]


@pytest.mark.parametrize(("environment", "why"), FAULTS, ids=[why for _, why in FAULTS])
def test_a_bucket_that_cannot_be_read(
    environment: dict[str, str | None],
    why: str,
    warehouse: Warehouse,
    remote: Callable[[str, str], None],
    monkeypatch: pytest.MonkeyPatch,
    server: Server,
) -> None:
    remote("gateway/one.jsonl", GATEWAY % 1)
    for name, value in environment.items():
        monkeypatch.setenv(name, value) if value else monkeypatch.delenv(name)
    with pytest.raises(UserError) as caught:
        warehouse.ingest()
    said = str(caught.value)
    assert re.match(rf"AI_USAGE_LANDING_URL: s3://[\w/-]+ cannot be used: {why}\. See that ", said)
    assert "AWS_SECRET_ACCESS_KEY" in said
    # Neither it nor what Dagster would keep of it has a secret or the library's own words.
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    for secret in (*server.keys, "a-wrong-secret"):
        assert secret not in said
    assert ledger(warehouse) == []


def test_objects_that_can_be_listed_but_not_read(
    warehouse: Warehouse,
    remote: Callable[[str, str], None],
    monkeypatch: pytest.MonkeyPatch,
    server: Server,
) -> None:
    remote("gateway/one.jsonl", GATEWAY % 1)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", server.keys_to_list[0])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", server.keys_to_list[1])
    [gateway] = [source for source in SOURCES if source.name == "gateway"]
    with pytest.raises(UserError, match="can be listed, but the credentials may not read them"):
        ingest(load_settings(), gateway)


# Settings.


@pytest.mark.parametrize(
    "url",
    [
        "s3://key:secret-word@bucket/landing",
        "az://container/landing?sig=secret-word",
        "https://secret-word.s3.amazonaws.com/",
        "s3://secret-word/*",
        "s3://",
        "/srv/secret-word",
    ],
)
def test_wrong_addresses(url: str, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AI_USAGE_LANDING_URL", "AI_USAGE_PUBLISH_URL"):
        with monkeypatch.context() as patch:
            patch.setenv(name, url)
            with pytest.raises(UserError, match=f"{name} is wrong, .* like s3://") as caught:
                load_settings()
        assert "secret-word" not in str(caught.value)


def test_addresses_within_each_other(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AI_USAGE_LANDING_URL", "s3://bucket/landing")
    for url in ("s3://bucket", "s3://bucket/landing/", "s3://bucket/landing/published"):
        monkeypatch.setenv("AI_USAGE_PUBLISH_URL", url)
        with pytest.raises(UserError, match="lie within each other"):
            load_settings()
    monkeypatch.setenv("AI_USAGE_PUBLISH_URL", "s3://bucket/landing-published")
    assert load_settings().publish_url == "s3://bucket/landing-published"


@pytest.mark.parametrize(("scheme", "library"), [("gs", "gcsfs"), ("az", "adlfs")])
def test_a_library_that_is_not_there(
    scheme: str, library: str, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    monkeypatch.setenv("AI_USAGE_LANDING_URL", f"{scheme}://bucket/landing")
    with pytest.raises(UserError, match=f"AI_USAGE_LANDING_URL: .*needs the package {library}"):
        warehouse.ingest()


def test_nothing_has_ever_landed(warehouse: Warehouse, remote: Callable[[str, str], None]) -> None:
    from orchestration.ingestion.landing import refuse_if_nothing_ever_landed

    remote("gatewy/one.jsonl", GATEWAY % 1)
    with pytest.raises(UserError, match="see that the address is right"):
        refuse_if_nothing_ever_landed(load_settings())
    remote("gateway/one.jsonl", GATEWAY % 1)
    refuse_if_nothing_ever_landed(load_settings())
