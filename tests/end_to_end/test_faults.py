"""Every fault that a night may meet, really injected: `make faults`.

Each ends with the tables of a run that nothing disturbed, and people meanwhile saw whole versions
only. A table at the end says so. The shorter test_crashes runs with every test.
"""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb
import pytest
from conftest import Warehouse, files_naming
from forked import Run
from tally import Tally, tally
from test_crashes import (
    Mark,
    clean,
    copy_of,
    evening,
    job,
    landing,
    runs_model,
    start,
    wait_for,
    writes_a_load,
    writes_a_version,
)
from test_nightly_job import Job, wait_while

from examples.simulator import simulate

pytestmark = pytest.mark.faults

SEED = 20261124


# The machine.


def has_noted(job: Job, key: str, begun: float) -> bool:
    """In this run built_from.json was written, with or without what has been built whole."""
    note = job.home / "built_from.json"
    return note.stat().st_mtime > begun and bool(json.loads(note.read_text())["inputs"]) == (
        key == "built"
    )


STAGES = ("ingestion", "dbt", "publication")


def has_begun(stage: str) -> Mark:
    """A run has come to this stage."""
    begun = time.time()
    if stage == "ingestion":
        return lambda job, evening: True
    return lambda job, evening: has_noted(
        job, "built" if stage == "publication" else "begun", begun
    )


def is_in_the_midst_of(stage: str) -> Mark:
    """A run is writing what this stage writes."""
    marks = {"ingestion": writes_a_load, "publication": writes_a_version}
    return marks.get(stage) or runs_model("int_requests")


KILLS_OF_A_HOME = ["ingestion"] * 3 + ["dbt"] * 2 + ["publication"] * 2


def test_killed_at_random(evening: Job, clean: Job, tmp_path: Path, tally: Tally) -> None:
    """Three homes, each killed seven times at any moment of a stage before it may heal."""
    chance = random.Random(SEED)
    seconds = seconds_by_stage(copy_of(evening, tmp_path / "measured"), evening)
    homes = iter(tmp_path / f"home{number}" for number in range(99))
    for number in range(3):
        job = copy_of(evening, next(homes))
        if number == 0:
            shutil.rmtree(job.home / "dagster")  # its history is begun anew, and killed at that
        for stage in KILLS_OF_A_HOME:
            while not killed_within(job, evening, stage, chance.uniform(0, seconds[stage])):
                tally.heals(job, clean)
                job = copy_of(evening, next(homes))
            tally.tried += 1
            tally.published(job, evening, clean)
        tally.heals(job, clean)
    tally.remark = "ingestion 9, dbt 6, publication 6 times"


def killed_within(job: Job, evening: Job, stage: str, delay_s: float) -> bool:
    """Kill the job so long after it has come to this stage; False if it ended before."""
    begun, running = has_begun(stage), start(job)
    try:
        wait_for(job, lambda *jobs: running.has_ended() or begun(*jobs), evening, running)
        time.sleep(delay_s)
        return not running.has_ended()
    finally:
        running.kill()


def seconds_by_stage(job: Job, evening: Job) -> dict[str, float]:
    """Measure a run that nothing disturbs."""
    marks, running = [has_begun(stage) for stage in STAGES], start(job)
    times = []
    for mark in marks:
        wait_for(job, mark, evening, running)
        times.append(time.monotonic())
    assert running.wait() == 0
    times.append(time.monotonic())
    return {stage: times[i + 1] - times[i] for i, stage in enumerate(STAGES)}


def test_only_the_nights_own_process_is_killed(
    job: Job, evening: Job, clean: Job, tally: Tally
) -> None:
    """As the kernel does with what takes too much memory. Nothing goes on building without it."""
    tally.tried += 1
    running = start(job)
    try:
        wait_for(job, is_in_the_midst_of("dbt"), evening, running)
        os.kill(running.pid, signal.SIGKILL)
        until = time.monotonic() + 10
        with suppress(ProcessLookupError):
            while True:  # until none of its group is left
                os.killpg(running.pid, 0)
                assert time.monotonic() < until, "something goes on"
                time.sleep(0.05)
    finally:
        running.kill()
    tally.published(job, evening)
    tally.heals(job, clean)


@contextmanager
def small_disk(folder: Path, evening: Job) -> Iterator[Path]:
    """A disk of its own, three times as large as what lies on it before the night."""
    size = sum(path.stat().st_size for path in evening.home.rglob("*") if path.is_file())
    folder.mkdir(exist_ok=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={3 * size}", "tmpfs", str(folder)],
        capture_output=True,
    )
    if mounted.returncode:
        pytest.skip("no permission to mount a file system")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(disk: Path) -> None:
    """Leave no byte free."""
    with (disk / "ballast").open("wb", buffering=0) as ballast:
        for size in (1024**2, 4096, 1):
            try:
                while True:
                    ballast.write(b"\1" * size)
            except OSError:
                continue


@pytest.mark.parametrize(
    ("stage", "expected"),
    [
        ("start", "No space left on device"),
        ("history", ", with 0 MB free in "),
        ("ingestion", "Taking in "),
        ("dbt", "Nothing was published, since not all holds"),
        ("publication", "Publishing stopped: "),
    ],
    ids=["start", "history", "ingestion", "dbt", "publication"],
)
def test_disk_full(
    stage: str, expected: str, evening: Job, clean: Job, tmp_path: Path, tally: Tally
) -> None:
    with small_disk(tmp_path / "disk", evening) as disk:
        job = copy_of(evening, disk / "home")
        tally.tried += 1
        if stage == "start":
            fill(disk)
        running = Run(job.project, job.environment(), tmp_path / "said.txt")
        try:
            if stage == "history":
                wait_for(job, has_begun_its_history, evening, running)
            elif stage != "start":
                wait_for(job, is_in_the_midst_of(stage), evening, running)
            if stage != "start":
                fill(disk)
            assert running.wait() == 1, running.said()
        finally:
            running.kill()
        said = running.said()
        assert "Stopped" in said and "Traceback" not in said + running.complained(), said
        # Dagster's history may meet the full disk first.
        assert expected in said or ", with 0 MB free in " in said, said
        tally.published(job, evening)
        (disk / "ballast").unlink()
        tally.heals(job, clean)


@dataclass
class Forgetting:
    """A person, what is published once nothing disturbed forgetting them, and what that took."""

    person: str
    clean: Job
    seconds: float

    def start(self, job: Job) -> Run:
        return job.start("-m", "orchestration", "forget", "--yes", PERSON=self.person)

    def finish(self, job: Job, tally: Tally) -> None:
        """Say it again, and count what is left of them."""
        running = self.start(job)
        try:
            code = running.wait()
        finally:
            running.kill()
        # Or all but the last look was done before.
        assert code == 0 or "Nothing in" in running.said(), running.said()
        tally.left += len(files_naming(job.home, self.person))
        tally.published(job, self.clean)
        tally.compare(job.published / "reports.duckdb", self.clean.published / "reports.duckdb")


@pytest.fixture
def forgetting(evening: Job, tmp_path: Path, tally: Tally) -> Forgetting:
    job = copy_of(evening, tmp_path / "clean")
    most = "select user_id from core.fct_requests where user_id not like '%report%' "
    [(person,)] = job.query(f"{most} group by 1 order by count(*) desc, 1 limit 1")
    before, started = len(files_naming(job.home, person)), time.monotonic()
    forgetting = Forgetting(person, job, 0)
    running = forgetting.start(job)
    assert running.wait() == 0, running.said()
    forgetting.seconds = time.monotonic() - started
    assert before > 10 and files_naming(job.home, person) == []
    return forgetting


def test_forgetting_is_killed_at_random(
    evening: Job, tmp_path: Path, tally: Tally, forgetting: Forgetting
) -> None:
    """Two homes, each killed five times at any moment before it is said to the end."""
    chance = random.Random(SEED)
    for number in range(2):
        job = copy_of(evening, tmp_path / f"home{number}")
        for _ in range(5):
            running = forgetting.start(job)
            # Most of what it takes is the night: what comes before it is aimed at as often.
            time.sleep(chance.uniform(0, forgetting.seconds * chance.choice((0.2, 1))))
            tally.tried += not running.has_ended()
            running.kill()
            tally.published(job, evening, forgetting.clean)
        forgetting.finish(job, tally)


@pytest.mark.parametrize("is_built_again", [False, True], ids=["erasing", "night"])
def test_forgetting_fills_the_disk(
    evening: Job, tmp_path: Path, tally: Tally, forgetting: Forgetting, is_built_again: bool
) -> None:
    with small_disk(tmp_path / "disk", evening) as disk:
        job = copy_of(evening, disk / "home")
        warehouse = job.home / "warehouse.duckdb"
        settings = job.environment(PERSON=forgetting.person)
        forget = ("-m", "orchestration", "forget", "--yes")
        running = Run(job.project, settings, tmp_path / "said.txt", forget)
        try:
            wait_while(warehouse.exists, running)
            if is_built_again:
                wait_while(lambda: not warehouse.exists(), running)
            fill(disk)
            tally.tried += 1
            assert running.wait() == 1, running.said()
        finally:
            running.kill()
        said = running.said()
        assert "Stopped" in said and "Traceback" not in said + running.complained(), said
        assert "say this again" in said or "say it again" in said, said
        (disk / "ballast").unlink()
        tally.published(job, evening)
        forgetting.finish(job, tally)


def has_begun_its_history(job: Job, evening: Job) -> bool:
    """Dagster has made the file for what this run will do."""

    def runs(job: Job) -> set[str]:
        return {path.name for path in (job.home / "dagster").rglob("*.db")}

    return bool(runs(job) - runs(evening))


def rubbish(chance: random.Random, content: bytes, *places: tuple[int, int]) -> bytes:
    """Overwrite 16 bytes somewhere within each of the places, (first byte, last)."""
    damaged = bytearray(content)
    for first, last in places:
        place = chance.randrange(first, last - 16)
        damaged[place : place + 16] = chance.randbytes(16)
    return bytes(damaged)


def within_a_table(chance: random.Random, path: Path) -> bytes:
    """Damage what is not read until a table is: DuckDB opens the file all the same."""
    whole = path.read_bytes()
    while True:
        path.write_bytes(rubbish(chance, whole, (12288, len(whole))))
        if can_read(path, "select 1") and not can_read(path, "from core.int_requests"):
            return path.read_bytes()


def can_read(path: Path, query: str) -> bool:
    try:
        with duckdb.connect(str(path), read_only=True) as connection:
            connection.execute(query).fetchall()
    except duckdb.Error:
        return False
    return True


# DuckDB's headers are its first three blocks of 4 KiB.
WAREHOUSES: dict[str, Callable[[random.Random, Path], bytes]] = {
    "cut in half": lambda chance, path: path.read_bytes()[: path.stat().st_size // 2],
    "header": lambda chance, path: rubbish(chance, path.read_bytes(), *[(0, 12288)] * 3),
    "anywhere": lambda chance, path: rubbish(
        chance, path.read_bytes(), *[(12288, path.stat().st_size)] * 200
    ),
    "in a table": within_a_table,
}


def test_damaged_warehouse(evening: Job, clean: Job, tmp_path: Path, tally: Tally) -> None:
    """It is put aside and built anew in the same night, whatever is damaged."""
    chance = random.Random(SEED)
    for number, damage in enumerate(WAREHOUSES.values()):
        job = copy_of(evening, tmp_path / f"home{number}")
        path = job.home / "warehouse.duckdb"
        damaged = damage(chance, path)
        path.write_bytes(damaged)
        tally.tried += 1
        said = tally.heals(job, clean)
        assert f"{path} is damaged" in said
        aside = path.with_name("damaged_warehouse.duckdb")
        # dbt had begun to write to the one that could be opened.
        assert damage is within_a_table or aside.read_bytes() == damaged
        assert aside.exists()
    tally.remark = ", ".join(WAREHOUSES)


def test_damaged_parquet_in_raw(evening: Job, clean: Job, tmp_path: Path, tally: Tally) -> None:
    """The message names the file, and both cures that it tells are true."""
    chance = random.Random(SEED)
    for number, source in enumerate(("litellm", "gateway", "otel", "loads")):
        job = copy_of(evening, tmp_path / f"home{number}")
        file = max((job.home / "raw" / source).rglob("*.parquet"))
        whole = file.read_bytes()
        damaged = whole[: len(whole) // 2] if number == 0 else bytearray(whole)
        if number == 1:
            damaged[-8:] = chance.randbytes(8)
        if number > 1:
            middle = len(whole) // 2
            damaged[middle // 2 : middle] = chance.randbytes(middle - middle // 2)
        file.write_bytes(damaged)
        tally.tried += 1
        said = tally.stops(job, f"{file} is damaged", "Put it back from a backup of raw/")
        tally.published(job, evening)
        if number % 2:
            file.write_bytes(whole)
        else:
            (everything,) = re.findall("find .* -delete", said)
            subprocess.run(everything, shell=True, check=True)  # noqa: S602
            assert job.run(AI_USAGE_ACCEPT_CHANGES="1").returncode == 0
        tally.heals(job, clean)


def test_lost_history(evening: Job, clean: Job, tmp_path: Path, tally: Tally) -> None:
    """The ledger's entries are gone, or events, or all of raw/, and what had landed was cleared."""
    for number, lost in enumerate(("loads/*.parquet", "loads", "gateway", "*")):
        job = copy_of(evening, tmp_path / f"home{number}")
        raw = job.home / "raw"
        kept = Path(shutil.copytree(raw, tmp_path / f"raw{number}"))
        taken_in = f"select landing_file from '{raw}/loads/*.parquet'"
        for (name,) in duckdb.sql(taken_in).fetchall():
            (job.home / "landing" / name).unlink()
        for path in raw.glob(lost):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        tally.tried += 1
        tally.stops(job, "is gone" if lost == "gateway" else "What was taken in before")
        tally.published(job, evening)
        # Put back as the message says; what the night took in meanwhile was in no backup.
        shutil.rmtree(raw)
        kept.rename(raw)
        tally.heals(job, clean)


def test_clock_set_back(job: Job, evening: Job, clean: Job, tally: Tally) -> None:
    """Before all that has landed, then before half: it is not taken for rubbish of the future."""
    for noon in ("2025-11-06 12:00:00", "2025-11-09 12:00:00"):
        tally.tried += 1
        set_back = ["faketime", "-f", f"@{noon}", sys.executable, "-m", "orchestration"]
        done = subprocess.run(
            set_back, cwd=job.project, env=job.environment(), capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "is the clock of this machine right?" in done.stdout
        if tally.tried == 1:
            tally.published(job, evening)
    assert job.query("select count(*) from core.fct_requests") < clean.query(
        "select count(*) from core.fct_requests"
    )
    tally.heals(job, clean)


# Runs beside each other.


def test_two_runs_at_once(evening: Job, clean: Job, tmp_path: Path, tally: Tally) -> None:
    for number in range(2):
        job = copy_of(evening, tmp_path / f"home{number}")
        tally.tried += 1
        outputs = (tmp_path / f"said{number}a.txt", tmp_path / f"said{number}b.txt")
        runs = [Run(job.project, job.environment(), output) for output in outputs]
        codes = sorted(run.wait() for run in runs)
        said = [run.said() for run in runs]
        assert codes == [0, 1], said
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
    tally.doubled += requests - ids
    assert tokens == sum(number % 1000 + 7 for number in range(events))
