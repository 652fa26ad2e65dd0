"""A home, and every kind of step that may befall it. After each run the oracle is asked."""

import contextlib
import csv
import io
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
from backports import zstd
from comparison import assert_recomputed, published_tables
from forked import Run
from recomputation import Recomputation
from tally import Tally
from test_nightly_job import Job

from examples.simulator import simulate
from histories.oracle import BLURRED, Oracle
from histories.watching import Watcher, files_that_hold

DAYS, PEOPLE = 8, 6
PROXY = "litellm.acme.example:4000"
ZONES = ("UTC", "America/New_York", "Asia/Kolkata", "Pacific/Auckland")
REQUESTS = "core.fct_requests"
FORGET = ("-m", "orchestration", "forget", "--yes")

# How often each kind of step comes, among the others.
KINDS = {
    "deliver": 6,
    "deliver_late": 3,
    "deliver_twice": 2,
    "correct": 3,
    "tear": 2,
    "night": 3,
    "kill": 5,
    "fill_disk": 3,
    "clock": 2,
    "two_at_once": 1,
    "zone": 1,
    "pause": 1,
    "gateways": 1,
    "hiding": 2,
    "retention": 3,
    "forget": 2,
    "roll_back": 2,
    "rebuild": 1,
    "hold": 1,
}


@dataclass(frozen=True)
class Version:
    """What is expected of one that was published."""

    expected: Recomputation
    hides_users: bool


def random_history(seed: int, steps: int) -> list[str]:
    """The steps of a history, such as `kill:17`; the number is what chance a step has."""
    chance = random.Random(seed)
    kinds = chance.choices(list(KINDS), list(KINDS.values()), k=steps)
    middle = [f"{kind}:{chance.randrange(1000)}" for kind in kinds]
    return ["deliver:0", "night:0", *middle, "night:0"]


class History:
    """A home under way."""

    def __init__(self, project: Path, folder: Path, seed: int, tally: Tally) -> None:
        """`folder` has a folder `disk`: where one is mounted it can be full."""
        self.folder, self.disk, self.tally = folder, folder / "disk", tally
        # How often each kind of step came, and how many nights it took.
        self.done = Counter[str]()
        for path in (self.disk / "home", folder / "oracle", folder / "pool"):
            shutil.rmtree(path, ignore_errors=True)
        self.job = Job(project, self.disk / "home")
        self.oracle = Oracle(folder / "oracle")
        pool = folder / "pool"
        today = datetime.now(UTC).date()
        simulate(
            pool, truth=None, days=DAYS, users=PEOPLE, seed=seed, last_day=today - timedelta(1)
        )
        self.files = sorted(pool.glob("*/*"), key=lambda file: (file.name, file.parent.name))
        self.late: list[Path] = []
        self.torn: list[Path] = []
        # Files that a run which did not end well may have taken in, or not.
        self.doubtful: set[Path] = set()
        # What is landed once more has a time of its own, a second after the last.
        self.time = int(time.time()) - 3600
        # Versions that can be gone back to, and what is expected of them; the last is current.
        self.versions: dict[str, Version] = {}
        self.may_be_none_before = False
        # Nothing has happened since the last run that ended well.
        self.is_settled = False
        self.seconds = 20.0
        self.last_days = set[date]()
        self.held: list[tuple[duckdb.DuckDBPyConnection, list]] = []

    def play(self, steps: list[str]) -> None:
        """Raises AssertionError where something is not as it should be."""
        for step in steps:
            kind = step.partition(":")[0]
            self.done[kind] += 1
            self.tally.tried += 1
            getattr(self, kind)(random.Random(step))
        self.let_go()

    # What lands.

    def land(self, file: Path, name: str = "", content: bytes | None = None) -> Path:
        """Land a file of the pool as it is, or what became of it, at its own time."""
        folder = self.job.home / "landing" / file.parent.name
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / (name or file.name)
        is_new = content is None and not name and not target.exists()
        part = target.with_name(f".{target.name}.part")
        shutil.copy2(file, part) if content is None else part.write_bytes(content)
        if not is_new:
            self.time += 1
            os.utime(part, (self.time, self.time))
        part.replace(target)
        return target

    def may_change(self, target: Path) -> bool:
        """Whether it is known whether the file as it is was taken in."""
        return target not in self.doubtful

    def landed(self) -> list[Path]:
        """Files of the pool that have landed whole."""
        waiting = {*self.files, *self.late, *self.torn}
        pool = sorted((self.folder / "pool").glob("*/*"))
        return [file for file in pool if file not in waiting]

    def deliver(self, chance: random.Random) -> None:
        """The files of a day or more. What was torn is there whole, and some is late."""
        for file in [*self.torn]:
            if self.may_change(self.target_of(file)):
                self.torn.remove(file)
                self.land(file)
        days = sorted({file.name[:10] for file in self.files})[: chance.randint(1, 3)]
        for file in [file for file in self.files if file.name[:10] in days]:
            self.files.remove(file)
            if chance.random() < 0.2:
                self.late.append(file)
            else:
                self.land(file)

    def deliver_late(self, chance: random.Random) -> None:
        if self.late:
            self.land(self.late.pop(chance.randrange(len(self.late))))

    def deliver_twice(self, chance: random.Random) -> None:
        """The same again, under its name or another."""
        if files := self.landed():
            file = chance.choice(files)
            is_renamed = chance.random() < 0.5 or not self.may_change(self.target_of(file))
            self.land(file, f"again_{self.time}_{file.name}" if is_renamed else file.name)

    def correct(self, chance: random.Random) -> None:
        """Some requests of a file used more or less than was told."""
        files = [file for file in self.landed() if file.parent.name == "gateway"]
        if files and self.may_change(self.target_of(file := chance.choice(files))):
            self.land(file, file.name, corrected(file, chance))

    def tear(self, chance: random.Random) -> None:
        """The next file is there only in part."""
        if self.files:
            file = self.files.pop(0)
            content = file.read_bytes()
            self.torn.append(file)
            self.land(file, file.name, content[: chance.randrange(1, len(content))])

    def target_of(self, file: Path) -> Path:
        return self.job.home / "landing" / file.parent.name / file.name

    # Runs.

    def night(self, chance: random.Random) -> None:
        code, said = self.run("-m", "orchestration")
        assert code == 0, said

    def kill(self, chance: random.Random) -> None:
        """At any moment of a night that has something to do."""
        self.deliver_twice(chance)
        self.run("-m", "orchestration", kill_after_s=chance.uniform(0, self.seconds))

    def fill_disk(self, chance: random.Random) -> None:
        """At some moment of a night; afterwards there is room again."""
        self.deliver_twice(chance)
        if os.path.ismount(self.disk):
            code, said = self.run(
                "-m", "orchestration", fill_after_s=chance.uniform(0, self.seconds)
            )
            assert code in (0, 1), said
            assert code == 0 or "Stopped" in said, said

    def clock(self, chance: random.Random) -> None:
        """A night whose clock is some days behind or ahead."""
        if shutil.which("faketime"):
            if self.doubtful:
                self.night(chance)  # what it has taken in does not wait for its time again
            days = chance.choice((-5, -3, -1, 1, 2, 3))
            noon = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
            code, said = self.run("-m", "orchestration", clock=noon + timedelta(days))
            assert code == 0, said

    def two_at_once(self, chance: random.Random) -> None:
        code, said = self.run("-m", "orchestration", is_doubled=True)
        assert code == 0, said

    def rebuild(self, chance: random.Random) -> None:
        days = sorted({file.name[:10] for file in self.landed()})
        which = ["--first-date", chance.choice(days)] if days and chance.random() < 0.5 else []
        code, said = self.run("-m", "orchestration", "rebuild", *which)
        assert code == 0, said

    def forget(self, chance: random.Random) -> None:
        """Somebody is forgotten; if that is cut off, it is said again."""
        landing = self.job.home / "landing"
        if not self.is_settled or self.oracle.new_files(landing):
            self.night(chance)
        people = self.oracle.people()
        if not people or self.oracle.new_files(landing):
            return  # what cannot be read may name anybody
        person = chance.choice(people)
        self.oracle.forget(person)
        if chance.random() < 0.5:
            self.run(*FORGET, kill_after_s=chance.uniform(0, self.seconds), person=person)
        code, said = self.run(*FORGET, person=person)
        assert code == 0, said
        left = [str(path) for path in files_that_hold(self.job.home, person)]
        self.tally.left += len(left)
        assert not left, f"{person!r} is left in {left}"
        self.nothing_before()

    def roll_back(self, chance: random.Random) -> None:
        """The version before, or a sentence that there is none; never one that was left."""
        code, said = self.run("-m", "orchestration", "rollback", is_night=False)
        current, *before = reversed(self.versions)
        if code == 0:
            assert before, "went back though there was nothing before"
            del self.versions[current]
            self.may_be_none_before = True
            self.is_settled = False
        else:
            assert "no version before" in said, said
            assert self.may_be_none_before or not before, said
        self.compare()

    def run(
        self,
        *arguments: str,
        kill_after_s: float | None = None,
        fill_after_s: float | None = None,
        clock: datetime | None = None,
        is_doubled: bool = False,
        is_night: bool = True,
        person: str = "",
    ) -> tuple[int, str]:
        """Run a command while somebody reads; hold what is published then against the oracle."""
        before, begun = self.current(), time.monotonic()
        now = clock or datetime.now(UTC)
        settings = self.oracle.settings
        if is_night and settings.retention_days:
            today = now.astimezone(ZoneInfo(settings.reporting_time_zone)).date()
            self.last_days.add(today - timedelta(settings.retention_days + 1))
        with Watcher(self.job.published) as watcher:
            if clock:
                code, said = self.run_at(clock, *arguments)
            else:
                code, said = self.run_now(arguments, kill_after_s, fill_after_s, is_doubled, person)
        self.tally.wrongly_published += len(watcher.faults)
        assert not watcher.faults, watcher.faults
        assert "Traceback" not in said, said
        if not is_night:
            return code, said
        self.done["nights"] += 1
        if code == 0 and self.current() != before:
            self.seconds = time.monotonic() - begun
        if code == 0 or self.current() != before:
            self.expect(now, must_close=code == 0 and self.is_settled)
        if code == 0:
            self.doubtful.clear()
        else:
            self.doubtful.update(self.oracle.new_files(self.job.home / "landing"))
        self.is_settled = code == 0 and not clock
        if self.versions:
            self.compare()
        return code, said

    def run_now(
        self,
        arguments: tuple[str, ...],
        kill_after_s: float | None,
        fill_after_s: float | None,
        is_doubled: bool,
        person: str,
    ) -> tuple[int, str]:
        outputs = [self.folder / f"said_{number}.txt" for number in range(1 + is_doubled)]
        environment = self.job.environment(**self.oracle.settings.environment(), PERSON=person)
        runs = [Run(self.job.project, environment, path, arguments) for path in outputs]
        try:
            if kill_after_s is not None:
                runs[0].process.join(kill_after_s)
                runs[0].kill()
            if fill_after_s is not None:
                runs[0].process.join(fill_after_s)
                fill(self.disk)
            codes = [run.wait() for run in runs]
        finally:
            for run in runs:
                run.kill()
            (self.disk / "ballast").unlink(missing_ok=True)
        said = "".join(run.said() + run.complained() for run in runs)
        if is_doubled:
            assert sorted(codes) == [0, 1], said
            assert "Another run is at work" in said, said
        return min(codes), said

    def run_at(self, clock: datetime, *arguments: str) -> tuple[int, str]:
        """The same by another clock, which a process has from its beginning."""
        begin = ["faketime", "-f", f"@{clock:%Y-%m-%d %H:%M:%S}", sys.executable, *arguments]
        environment = self.job.environment(**self.oracle.settings.environment())
        done = subprocess.run(
            begin,
            cwd=self.job.project,
            env=environment | {"TZ": "UTC"},
            capture_output=True,
            text=True,
        )
        return done.returncode, done.stdout + done.stderr

    # What is published.

    def current(self) -> str | None:
        link = self.job.published / "current"
        return link.readlink().name if link.is_symlink() else None

    def expect(self, now: datetime, must_close: bool) -> None:
        """A version holds all that has landed: ask the oracle what that is."""
        oracle = self.oracle
        build = json.loads((self.job.published / "current/build.json").read_text())
        through = date.fromisoformat(build["archived_through"] or "0001-01-01")
        if through != oracle.closed_through:
            assert through in self.last_days and through > oracle.closed_through, through
        elif must_close and self.last_days and oracle.settings.retention_days:
            today = now.astimezone(ZoneInfo(oracle.settings.reporting_time_zone)).date()
            due = today - timedelta(oracle.settings.retention_days + 1)
            days = {request.usage_date for request, _ in oracle.live}
            assert not any(through < day <= due for day in days), f"not closed up to {due}"
        if through != oracle.closed_through:
            oracle.close(through)
            self.nothing_before()
        oracle.take_in(self.job.home / "landing", now)
        is_new = self.current() not in self.versions
        hides = oracle.settings.hide_users
        if is_new and hides and not all(before.hides_users for before in self.versions.values()):
            self.versions.clear()
        self.versions[self.current()] = Version(oracle.expected(), hides)
        if is_new:
            self.may_be_none_before = len(self.versions) == 1

    def nothing_before(self) -> None:
        """What was published before is not within reach any more."""
        for version in [*self.versions]:
            if version != self.current():
                del self.versions[version]

    def compare(self) -> None:
        """What is published is what the oracle expects of the current version."""
        current = list(self.versions)[-1]
        assert self.current() == current, (self.current(), list(self.versions))
        expected = self.versions[current].expected
        published = published_tables(self.job)
        ids = [row["request_id"] for row in published[REQUESTS]]
        wanted = {row["request_id"] for row in expected.tables[REQUESTS]}
        self.tally.lost += len(wanted - {*ids})
        self.tally.doubled += len(ids) - len(wanted & {*ids})
        unknown = BLURRED if self.oracle.is_blurred() else ()
        try:
            assert_recomputed(self.job, expected, but_for=unknown)
        except AssertionError:
            self.tally.wrongly_published += 1
            raise

    def hold(self, chance: random.Random) -> None:
        """Somebody opens the published file, and has it open from then on."""
        if self.versions:
            path = (self.job.published / "current/reports.duckdb").resolve()
            connection = duckdb.connect(str(path), read_only=True)
            self.held.append((connection, connection.execute(f"from {REQUESTS}").fetchall()))

    def let_go(self) -> None:
        while self.held:
            connection, rows = self.held.pop()
            with connection:
                assert connection.execute(f"from {REQUESTS}").fetchall() == rows

    # Settings.

    def set(self, **changed: object) -> None:
        self.oracle.settings = replace(self.oracle.settings, **changed)
        self.is_settled = False

    def zone(self, chance: random.Random) -> None:
        """Another one; but once days are closed it is refused."""
        before = self.oracle.settings.reporting_time_zone
        other = chance.choice([zone for zone in ZONES if zone != before])
        if not self.last_days:
            self.set(reporting_time_zone=other)
        elif self.oracle.closed_through > date.min:
            self.set(reporting_time_zone=other)
            code, said = self.run("-m", "orchestration", is_night=False)
            assert code == 1 and "reporting_time_zone is" in said, said
            self.set(reporting_time_zone=before)

    def pause(self, chance: random.Random) -> None:
        self.set(session_idle_minutes=chance.choice((2, 30, 240)))

    def gateways(self, chance: random.Random) -> None:
        self.set(gateway_addresses="" if self.oracle.settings.gateway_addresses else PROXY)

    def hiding(self, chance: random.Random) -> None:
        self.set(hide_users=not self.oracle.settings.hide_users)

    def retention(self, chance: random.Random) -> None:
        """On, longer, shorter or off."""
        self.set(retention_days=chance.choice((0, 2, 3, 4, 5, 6)))


def corrected(file: Path, chance: random.Random) -> bytes:
    """A gateway's file in which some requests put out other numbers of tokens."""
    content = file.read_bytes()
    text = (zstd.decompress(content) if file.suffix == ".zst" else content).decode()
    is_table = file.suffix == ".csv"
    if is_table:
        rows = list(csv.DictReader(io.StringIO(text)))
    else:
        rows = [json.loads(line) for line in text.splitlines()]
    # A request that is in the file twice is corrected twice.
    more = {row["request_id"]: chance.choice((0, chance.randrange(1, 100))) for row in rows}
    for row in rows:
        if row["status"] == "success":
            row["output_tokens"] = int(row["output_tokens"]) + more[row["request_id"]]
    written = io.StringIO()
    if is_table:
        table = csv.DictWriter(written, list(rows[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
    else:
        written.writelines(json.dumps(row) + "\n" for row in rows)
    content = written.getvalue().encode()
    return zstd.compress(content) if file.suffix == ".zst" else content


def fill(disk: Path) -> None:
    """Leave no byte free."""
    with (disk / "ballast").open("wb", buffering=0) as ballast:
        for size in (1024**2, 4096, 1):
            with contextlib.suppress(OSError):
                while True:
                    ballast.write(b"\1" * size)


@contextlib.contextmanager
def disk(folder: Path, megabytes: int = 512) -> Iterator[Path]:
    """A disk of its own, where one may be mounted."""
    folder.mkdir(exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    is_mounted = subprocess.run(mount, capture_output=True).returncode == 0
    try:
        yield folder
    finally:
        if is_mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)
