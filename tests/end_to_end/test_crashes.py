"""The nightly job is killed wherever it may be: what was published stands, and the next run heals.

Before each kill a first version was published, and then more files landed. The job runs in a copy
of the project, see test_nightly_job.
"""

import contextlib
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import duckdb
import pytest
from conftest import PROJECT
from forked import Run
from test_nightly_job import Job, copy_of_project

from examples.simulator import simulate

pytestmark = pytest.mark.slow

DAYS, FIRST_DAYS = 12, 8
Mark = Callable[[Job, Job], bool]


@pytest.fixture(scope="module")
def landing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("organisation") / "landing"
    simulate(folder, truth=None, days=DAYS, users=10, seed=11, last_day=date(2025, 11, 10))
    return folder


@pytest.fixture(scope="module")
def evening(landing: Path, tmp_path_factory: pytest.TempPathFactory) -> Job:
    """A first version is published, and more has landed."""
    folder = tmp_path_factory.mktemp("evening")
    job = Job(copy_of_project(folder / "project", is_parsed=True), folder / "home")
    files = sorted(landing.glob("*/*"), key=lambda file: file.name[:10])
    last = sorted({file.name[:10] for file in files})[FIRST_DAYS - 1]
    land(job, [file for file in files if file.name[:10] <= last])
    assert finish(job)[0] == 0
    land(job, [file for file in files if file.name[:10] > last])
    return job.set_aside("evening")


@pytest.fixture(scope="module")
def clean(evening: Job) -> Job:
    """What a run without any crash makes of it."""
    job = evening.copy()
    assert finish(job)[0] == 0
    assert tables(job) != tables(evening)
    return job.set_aside("clean")


@pytest.fixture
def job(evening: Job, clean: Job) -> Job:
    return evening.copy()


def land(job: Job, files: list[Path]) -> None:
    for file in files:
        folder = job.home / "landing" / file.parent.name
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy2(file, folder)


def copy_of(job: Job, home: Path) -> Job:
    return Job(job.project, Path(shutil.copytree(job.home, home, symlinks=True)))


def start(job: Job) -> Run:
    return job.start("-m", "orchestration")


def finish(job: Job) -> tuple[int, str]:
    """Run the job to its end; return the exit code and what it said."""
    running = start(job)
    try:
        code = running.wait()
    finally:
        running.kill()
    assert "Traceback" not in running.said() + running.complained()
    return code, running.said()


def killed_at(job: Job, mark: Mark, evening: Job) -> None:
    """Start the job and kill it, with all its processes, as soon as the mark is on disk."""
    running = start(job)
    try:
        wait_for(job, mark, evening, running)
    finally:
        running.kill()


def wait_for(job: Job, mark: Mark, evening: Job, running: Run) -> None:
    until = time.monotonic() + 600
    while True:
        # What is looked at may go away meanwhile, or be half written.
        with contextlib.suppress(FileNotFoundError, ValueError):
            if mark(job, evening):
                return
        if running.has_ended():
            pytest.fail(f"the run ended before that: {running.said()}")
        assert time.monotonic() < until
        time.sleep(0.0005)


def tables(job: Job) -> dict[str, int]:
    """The published tables and their rows, as build.json of the version tells."""
    return json.loads((job.published / "current/build.json").read_text())["tables"]


def assert_published_is_whole(job: Job, *allowed: Job) -> None:
    """The links lead to versions, and all tables are of one and the same of the allowed builds."""
    for name in ("current", "previous"):
        link = job.published / name
        if link.is_symlink():
            assert (link / "build.json").is_file()
            assert (link / "reports.duckdb").is_file()
    # In a process of its own: the next one must find nothing locked.
    count = " union all ".join(f"select count(*) from {table}" for table in tables(job))
    script = (
        "import duckdb, sys\n"
        "with duckdb.connect(sys.argv[1], read_only=True) as connection:\n"
        "    print([n for n, in connection.execute(sys.argv[2]).fetchall()])"
    )
    counted = job.python("-c", script, str(job.published / "reports.duckdb"), count)
    assert json.loads(counted.stdout) == list(tables(job).values()), counted.stderr
    assert tables(job) in [tables(other) for other in allowed]


def assert_same_tables(job: Job, clean: Job) -> None:
    with duckdb.connect() as connection:
        for name, home in (("healed", job), ("clean", clean)):
            connection.execute(f"attach '{home.published}/reports.duckdb' as {name} (read_only)")
        for table in tables(clean):
            for a, b in (("healed", "clean"), ("clean", "healed")):
                only = connection.sql(f"from {a}.{table} except all from {b}.{table}").fetchall()
                assert only == [], f"{table}, only in {a}"


def assert_heals(job: Job, clean: Job) -> None:
    code, said = finish(job)
    assert code == 0, said
    assert_published_is_whole(job, clean)
    assert_same_tables(job, clean)
    # Nothing of the dead is left, unless there was nothing to publish any more.
    assert not any(path.is_file() for path in (job.home / "raw/.loading").rglob("*"))
    if "  publish " in said:
        kept = {(job.published / name).resolve().name for name in ("current", "previous")}
        assert {path.name for path in (job.published / "versions").iterdir()} == kept


READER = """
import json, sys, time
from pathlib import Path
import duckdb

published, stop, tables = Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3])
count = " union all ".join(f"select count(*) from {table}" for table in tables)
seen = {}
while not stop.exists():
    with duckdb.connect(str(published / "reports.duckdb"), read_only=True) as connection:
        counts = str([n for n, in connection.execute(count).fetchall()])
    seen[counts] = seen.get(counts, 0) + 1
    json.loads((published / "current/build.json").read_text())
    time.sleep(0.05)
print(json.dumps(seen))
"""


@contextmanager
def reader(job: Job, *allowed: Job) -> Iterator[None]:
    """Read again and again meanwhile: only whole versions are ever seen, and it never fails."""
    stop, names = job.home / "stop", list(tables(job))
    arguments = [str(job.published), str(stop), json.dumps(names)]
    reading = subprocess.Popen(
        [sys.executable, "-c", READER, *arguments], stdout=subprocess.PIPE, text=True
    )
    try:
        yield
    finally:
        stop.touch()
        printed, _ = reading.communicate(timeout=60)
    assert reading.returncode == 0
    seen = json.loads(printed)
    assert sum(seen.values()) > 10
    assert set(seen) <= {str(list(tables(other).values())) for other in allowed}


# Marks on disk, in the order in which a run makes them; `evening` is as the job found it.


def ledger(job: Job) -> set[str]:
    return {path.stem for path in (job.home / "raw/loads").glob("*.parquet")}


def writes_a_load(job: Job, evening: Job) -> bool:
    return any((job.home / "raw/.loading").glob("*/events/*/*.parquet"))


def moves_a_load_into_place(job: Job, evening: Job) -> bool:
    """Some events are in raw/ whose load the ledger does not name yet."""
    files = (job.home / "raw").glob("*/event_date=*/*.parquet")
    return bool({path.stem.split("_")[0] for path in files} - ledger(job))


def has_loaded_all(job: Job, evening: Job) -> bool:
    """The ledger names a load of the last source; dbt has not begun."""
    return any("-otel-" in load for load in ledger(job) - ledger(evening))


def runs_model(name: str) -> Mark:
    """Of dbt: it writes a model's SQL just before it runs it."""
    started = time.time()
    [model] = (PROJECT / "models").rglob(f"{name}.sql")

    def mark(job: Job, evening: Job) -> bool:
        path = job.home / "dbt/run/ai_usage" / model.relative_to(PROJECT)
        return path.exists() and path.stat().st_mtime > started

    return mark


def writes_a_version(job: Job, evening: Job) -> bool:
    known = {path.name for path in (evening.published / "versions").iterdir()}
    new = [p for p in (job.published / "versions").glob("*/parquet/*") if p.parts[-3] not in known]
    return bool(new)


def has_swapped_versions(job: Job, evening: Job) -> bool:
    return (job.published / "current").readlink() != (evening.published / "current").readlink()


def test_killed_while_it_takes_in(job: Job, evening: Job, clean: Job) -> None:
    """Three times in a row: each run goes further than the one before, which is healed so far."""
    for mark in (writes_a_load, moves_a_load_into_place, has_loaded_all):
        killed_at(job, mark, evening)
        assert_published_is_whole(job, evening)
    assert_heals(job, clean)


def test_killed_while_dbt_builds(job: Job, evening: Job, clean: Job) -> None:
    """Twice in a row: in the midst of the requests, and when the first reports are done."""
    with reader(job, evening, clean):
        killed_at(job, runs_model("int_requests"), evening)
        assert_published_is_whole(job, evening)
        killed_at(job, runs_model("data_quality"), evening)
        assert_published_is_whole(job, evening)
        assert_heals(job, clean)


def test_killed_while_it_publishes(job: Job, evening: Job, clean: Job) -> None:
    """Before the swap it is the old version that stands, after it the new one."""
    with reader(job, evening, clean):
        killed_at(job, writes_a_version, evening)
        assert_published_is_whole(job, evening)
        killed_at(job, has_swapped_versions, evening)
        assert_published_is_whole(job, clean)
        assert_heals(job, clean)
