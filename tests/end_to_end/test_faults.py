"""Every fault that a night may meet, really injected: `make faults`, which takes most of an hour.

Each ends with the tables of a run that nothing disturbed, and people meanwhile saw whole versions
only. A table at the end says so. The shorter test_crashes runs with every test.
"""

import json
import random
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb
import pytest
from conftest import Warehouse
from rich.console import Console
from rich.table import Table
from test_crashes import (
    Mark,
    assert_published_is_whole,
    clean,
    copy_of,
    evening,
    kill,
    landing,
    runs_model,
    start,
    wait_for,
    writes_a_load,
    writes_a_version,
)
from test_nightly_job import Job

from examples.simulator import simulate

pytestmark = pytest.mark.faults

SEED = 20261124


@dataclass
class Tally:
    """How often a fault was tried, and what came of it: rows of tables, and versions."""

    fault: str
    tried: int = 0
    lost: int = 0
    duplicated: int = 0
    wrongly_published: int = 0
    remark: str = ""

    def published(self, job: Job, *allowed: Job) -> None:
        """Count what people can read now, unless it is one of the allowed versions, whole."""
        try:
            assert_published_is_whole(job, *allowed)
        except AssertionError:
            self.wrongly_published += 1

    def compare(self, healed: Path, clean: Path) -> None:
        """Count the rows by which two published databases differ."""
        with duckdb.connect() as connection:
            connection.execute(f"attach '{healed}' as healed (read_only)")
            connection.execute(f"attach '{clean}' as clean (read_only)")
            for (table,) in connection.execute(
                "select schema_name || '.' || table_name from duckdb_tables() "
                "where database_name = 'clean'"
            ).fetchall():
                self.lost += len(
                    connection.sql(f"from clean.{table} except all from healed.{table}")
                )
                self.duplicated += len(
                    connection.sql(f"from healed.{table} except all from clean.{table}")
                )

    def heals(self, job: Job, clean: Job) -> None:
        done = job.run()
        assert done.returncode == 0, done.stdout + done.stderr
        self.published(job, clean)
        self.compare(job.published / "reports.duckdb", clean.published / "reports.duckdb")


TALLIES: list[Tally] = []


@pytest.fixture
def tally(request: pytest.FixtureRequest) -> Iterator[Tally]:
    """Nothing lost, nothing twice, nothing wrong published."""
    tally = Tally(request.node.name.removeprefix("test_").replace("_", " "))
    TALLIES.append(tally)
    yield tally
    assert (tally.lost, tally.duplicated, tally.wrongly_published) == (0, 0, 0)
    assert tally.tried > 0


@pytest.fixture(scope="module", autouse=True)
def printed(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    table = Table("fault", "tried", "rows lost", "duplicated", "wrongly published", "")
    for tally in TALLIES:
        table.add_row(*(str(value) for value in tally.__dict__.values()))
    with request.config.pluginmanager.get_plugin("capturemanager").global_and_fixture_disabled():
        Console(width=130).print("\n", table)


# The machine.


def test_killed_at_random(evening: Job, clean: Job, tmp_path: Path, tally: Tally) -> None:
    chance, stages = random.Random(SEED), dict.fromkeys(("ingestion", "dbt", "publication"), 0)
    job = copy_of(evening, tmp_path / "home")
    started = time.monotonic()
    tally.heals(job, clean)
    seconds = time.monotonic() - started
    job = copy_of(evening, tmp_path / "home0")
    while tally.tried < 24:
        tally.tried += 1
        running = start(job)
        time.sleep(chance.uniform(0.2, 1) * seconds)
        ended = running.poll() is not None
        kill(running.pid)
        said, _ = running.communicate()
        if not ended:
            stage = "ingestion" if "\n  otel " not in said else "dbt"
            stages["publication" if "\n  models " in said else stage] += 1
        tally.published(job, evening, clean)
        if ended or tally.tried % 6 == 0:
            tally.heals(job, clean)
            job = copy_of(evening, tmp_path / f"home{tally.tried}")
    tally.remark = ", ".join(f"{stage} {times}" for stage, times in stages.items())
    assert min(stages.values()) > 0, stages


STAGES = {
    "ingestion": "Taking in ",
    "dbt": "Nothing was published, since not all holds",
    "publication": "Publishing stopped: ",
}


def mark_of(stage: str) -> Mark:
    """What is on disk as soon as a run is in the midst of a stage."""
    marks = {"ingestion": writes_a_load, "publication": writes_a_version}
    return marks.get(stage) or runs_model("core/int_requests.sql")


def test_disk_full(evening: Job, clean: Job, tmp_path: Path, tally: Tally) -> None:
    disk = tmp_path / "disk"
    for stage, said in STAGES.items():
        disk.mkdir(exist_ok=True)
        size = sum(path.stat().st_size for path in evening.home.rglob("*") if path.is_file())
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={3 * size}", "tmpfs", str(disk)],
            capture_output=True,
        )
        if mounted.returncode:
            pytest.skip("no permission to mount a file system")
        try:
            job = copy_of(evening, disk / "home")
            tally.tried += 1
            running = start(job)
            try:
                wait_for(job, mark_of(stage), evening, running)
                fill(disk)
                printed, _ = running.communicate(timeout=300)
            finally:
                kill(running.pid)
            assert running.returncode == 1, printed
            assert said in printed, printed
            assert "Traceback" not in printed
            tally.published(job, evening)
            (disk / "ballast").unlink()
            tally.heals(job, clean)
        finally:
            subprocess.run(["umount", str(disk)], check=True)
    tally.remark = ", ".join(STAGES)


def fill(disk: Path) -> None:
    """Leave no byte free."""
    with (disk / "ballast").open("wb") as ballast:
        for size in (1024**2, 4096, 1):
            try:
                while True:
                    ballast.write(b"\1" * size)
                    ballast.flush()
            except OSError:
                continue


def test_damaged_warehouse(evening: Job, clean: Job, tmp_path: Path, tally: Tally) -> None:
    chance, blocked = random.Random(SEED), 0
    for number in range(5):
        job = copy_of(evening, tmp_path / f"home{number}")
        content = bytearray((job.home / "warehouse.duckdb").read_bytes())
        if number == 0:
            del content[len(content) // 2 :]
        else:
            # The headers, which are the first three blocks of 4 KiB, and then anywhere.
            first = 0 if number == 1 else 12288
            for _ in range(3 if number == 1 else 200):
                place = chance.randrange(first, 12288 if number == 1 else len(content))
                content[place : place + 16] = chance.randbytes(16)
        (job.home / "warehouse.duckdb").write_bytes(content)
        tally.tried += 1
        done = job.run()
        if done.returncode:
            blocked += 1
            tally.published(job, evening)
            assert "delete it and run again" in " ".join(done.stdout.split()), done.stdout
            (job.home / "warehouse.duckdb").unlink()
        tally.heals(job, clean)
    tally.remark = f"{blocked} told, and healed once it was deleted"


def test_damaged_parquet_in_raw(evening: Job, clean: Job, tmp_path: Path, tally: Tally) -> None:
    chance = random.Random(SEED)
    for number, source in enumerate(("litellm", "gateway", "otel")):
        job = copy_of(evening, tmp_path / f"home{number}")
        file = max((job.home / "raw" / source).glob("event_date=*/*.parquet"))
        whole = file.read_bytes()
        damaged = whole[: len(whole) // 2] if number == 0 else bytearray(whole)
        if number == 1:
            damaged[-8:] = chance.randbytes(8)
        if number == 2:
            middle = len(whole) // 2
            damaged[middle // 2 : middle] = chance.randbytes(middle - middle // 2)
        file.write_bytes(damaged)
        tally.tried += 1
        done = job.run()
        assert done.returncode == 1, done.stdout
        assert file.name in done.stdout, done.stdout
        tally.published(job, evening)
        # As one puts it back from a backup.
        file.write_bytes(whole)
        tally.heals(job, clean)


def test_clock_set_back(evening: Job, clean: Job, tmp_path: Path, tally: Tally) -> None:
    if not shutil.which("faketime"):
        pytest.skip("faketime is not installed")
    job = copy_of(evening, tmp_path / "home")
    tally.tried += 1
    set_back = ["faketime", "-f", "-90d", sys.executable, "-m", "orchestration"]
    done = subprocess.run(
        set_back, cwd=job.project, env=job.environment(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    tally.published(job, clean)
    tally.heals(job, clean)


# Runs beside each other.


def test_two_runs_at_once(evening: Job, clean: Job, tmp_path: Path, tally: Tally) -> None:
    for number in range(2):
        job = copy_of(evening, tmp_path / f"home{number}")
        tally.tried += 1
        runs = [start(job), start(job)]
        said = [run.communicate(timeout=300)[0] for run in runs]
        assert sorted(run.returncode for run in runs) == [0, 1], said
        assert sum("Another run is at work" in text for text in said) == 1, said
        tally.published(job, clean)
        tally.heals(job, clean)


HOLDER = """
import sys, time
from pathlib import Path
import duckdb

stop, count = Path(sys.argv[2]), "select count(*), sum(total_tokens) from core.fct_requests"
with duckdb.connect(sys.argv[1], read_only=True) as held:
    first = held.execute(count).fetchone()
    print(first, flush=True)
    while not stop.exists():
        assert held.execute(count).fetchone() == first
        assert held.execute("from core.fct_requests").fetchall()
        time.sleep(0.2)
"""


@pytest.fixture
def organisation(tmp_path: Path) -> Path:
    folder = tmp_path / "organisation"
    simulate(folder, truth=None, days=20, users=10, seed=12, last_day=date(2025, 11, 20))
    return folder


def land_days(warehouse: Warehouse, folder: Path, first: int, last: int, *but: str) -> None:
    """Land what the files of these days hold, the first day being 1, but for some sources."""
    days = sorted({file.name[:10] for file in folder.glob("*/*")})[first - 1 : last]
    for file in sorted(folder.glob("*/*")):
        if file.name[:10] in days and file.parent.name not in but:
            warehouse.land(file, source=file.parent.name)


def clean_database(warehouse: Warehouse, folder: Path, kept: Path) -> Path:
    """What one undisturbed night makes of all that landed; the warehouse is left empty."""
    land_days(warehouse, folder, 1, 99)
    warehouse.rebuild()
    shutil.copy(warehouse.home / "published/reports.duckdb", kept)
    shutil.rmtree(warehouse.home)
    return kept


def test_file_held_open_through_ten_nights(
    warehouse: Warehouse, organisation: Path, tmp_path: Path, tally: Tally
) -> None:
    whole = clean_database(warehouse, organisation, tmp_path / "clean.duckdb")
    land_days(warehouse, organisation, 1, 10)
    warehouse.rebuild()
    stop = tmp_path / "stop"
    published = warehouse.home / "published/reports.duckdb"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(published), str(stop)],
        stdout=subprocess.PIPE,
        text=True,
    )
    holder.stdout.readline()
    for day in range(11, 21):
        land_days(warehouse, organisation, day, day if day < 20 else 99)
        warehouse.rebuild()
        tally.tried += 1
        tally.wrongly_published += holder.poll() is not None
    stop.touch()
    holder.communicate(timeout=60)
    assert holder.returncode == 0
    tally.compare(published, whole)


# What lands.


def test_source_gone_for_a_week(
    warehouse: Warehouse, organisation: Path, tmp_path: Path, tally: Tally
) -> None:
    whole = clean_database(warehouse, organisation, tmp_path / "clean.duckdb")
    land_days(warehouse, organisation, 1, 10)
    warehouse.rebuild()
    for day in range(11, 18):
        land_days(warehouse, organisation, day, day, "otel")
        warehouse.rebuild()
    tally.tried += 1
    land_days(warehouse, organisation, 1, 99)
    warehouse.rebuild()
    tally.compare(warehouse.home / "published/reports.duckdb", whole)


def gateway_line(number: int) -> bytes:
    event = {"request_id": f"r{number}", "requested_at": f"2026-01-{1 + number % 28:02}T10:00:00Z"}
    event |= {"provider": "openai", "model": "gpt-4o", "user_id": f"u{number % 100}"}
    return json.dumps(event | {"input_tokens": number % 1000, "output_tokens": 7}).encode() + b"\n"


def test_file_grows_while_it_is_read(warehouse: Warehouse, tally: Tally) -> None:
    content = b"".join(gateway_line(number) for number in range(200_000))
    path = warehouse.write("gateway/growing.jsonl", b"")
    chance = random.Random(SEED)

    def grow() -> None:
        with path.open("ab") as file:
            place = 0
            while place < len(content):
                size = chance.randrange(1, 200_000)
                file.write(content[place : place + size])
                file.flush()
                place += size
                time.sleep(0.02)

    growing = threading.Thread(target=grow)
    growing.start()
    while growing.is_alive():
        tally.tried += 1
        warehouse.ingest()
    warehouse.ingest()
    warehouse.rebuild()
    count_against_truth(warehouse, tally, 200_000)


def test_100000_files_of_one_event(warehouse: Warehouse, tally: Tally) -> None:
    folder = warehouse.landing / "gateway"
    folder.mkdir(parents=True)
    for number in range(100_000):
        (folder / f"{number}.jsonl").write_bytes(gateway_line(number))
    started = time.monotonic()
    warehouse.ingest()
    tally.tried, tally.remark = 1, f"taken in within {time.monotonic() - started:.0f} s"
    warehouse.rebuild()
    count_against_truth(warehouse, tally, 100_000)


def count_against_truth(warehouse: Warehouse, tally: Tally, events: int) -> None:
    [(requests, ids, tokens)] = warehouse.published(
        "select count(*), count(distinct request_id), sum(total_tokens) from core.fct_requests"
    )
    tally.lost += events - ids
    tally.duplicated += requests - ids
    assert tokens == sum(number % 1000 + 7 for number in range(events))
