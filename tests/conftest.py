"""A warehouse of its own for each test, driven in this process."""

import contextlib
import gc
import gzip
import http.server
import io
import json
import os
import shutil
import socket
import subprocess
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import duckdb
import pytest
import yaml
from adbc_driver_postgresql import dbapi
from backports import zstd
from rich.console import Console
from rich.table import Table

PROJECT = Path(__file__).resolve().parent.parent
SHARED = PROJECT.parent / "shared" / "data"

os.chdir(PROJECT)
os.environ.pop("DAGSTER_HOME", None)
for name in [name for name in os.environ if name.startswith("AI_USAGE_")]:
    del os.environ[name]

from dbt.adapters.duckdb.connections import DuckDBConnectionManager  # noqa: E402
from dbt.cli.main import dbtRunner  # noqa: E402

from examples.organisation import NIGHTLY, User, people  # noqa: E402
from orchestration.ingestion import ingest  # noqa: E402
from orchestration.ingestion.summary import Summary  # noqa: E402
from orchestration.publication import publish  # noqa: E402
from orchestration.settings import Settings, load_settings  # noqa: E402
from orchestration.sources import SOURCES  # noqa: E402
from orchestration.warehouse.fingerprints import BuiltFrom, fingerprint  # noqa: E402
from orchestration.warehouse.project import parsed, project, public_models  # noqa: E402

# Ids and names of people that must stay text wherever they go.
HOSTILE = (
    "'; drop table users; --",
    "<script>alert(1)</script>",
    '"quoted", and it\'s \\ too',
    '=HYPERLINK("http://127.0.0.1:9/";"x")',
    "$(touch pwned) `id` ${HOME} %s {{x}}",
    "Zoë 東京 😀 \u202eadmin",
    "12345",
    "user",
)

NO_DATA_TESTS = ("--exclude-resource-type", "test")
# Of each build these cost dbt a third of its time, and few tests look at them.
NO_TRACES = ("--log-level-file", "none", "--no-write-json")


class Warehouse:
    """An AI_USAGE_HOME, and what people and the nightly job do with it."""

    def __init__(self, home: Path, target: Path) -> None:
        self.home, self.target = home, target
        self.landing, self.raw = home / "landing", home / "raw"
        self.leaves_traces = False  # dbt's log, manifest and results

    @property
    def settings(self) -> Settings:
        return load_settings()

    def land(self, *files: Path, source: str) -> None:
        """Copy files into landing/<source>."""
        folder = self.landing / source
        folder.mkdir(parents=True, exist_ok=True)
        for file in files:
            shutil.copy2(file, folder)

    def write(self, name: str, content: str | bytes) -> Path:
        """Write a landing file; `name` is relative to landing/."""
        path = self.landing / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def ingest(self) -> dict[str, Summary]:
        return {source.name: ingest(self.settings, source) for source in SOURCES}

    def dbt(self, *arguments: str, check: bool = True) -> str:
        """Run dbt as an analyst does, on the project as parsed once; return what it printed."""
        _ = self.settings
        traces = () if self.leaves_traces else NO_TRACES
        runner = dbtRunner(manifest=parsed(project()))
        printed = io.StringIO()
        gc.disable()  # it finds little here, and takes a seventh of the time
        with contextlib.redirect_stdout(printed):
            result = runner.invoke([*arguments, *traces, *where(self.target)])
        gc.enable()
        # dbt keeps the file open for the process's life, which here outlives the run.
        DuckDBConnectionManager.close_all_connections()
        if check:
            assert result.success, printed.getvalue()[-5000:]
        return printed.getvalue()

    def build(self, *arguments: str) -> str:
        return self.dbt("build", "--exclude-resource-type", "unit_test", *arguments)

    def publish(self, page: bool = False, code: str = "this") -> None:
        """Publish the tables. The page takes seconds to build, and few tests look at it."""
        with pytest.MonkeyPatch.context() as patch:
            if not page:
                patch.setattr("orchestration.page.build_page", lambda *_: None)
            built = BuiltFrom(models={"fct_requests": code}, inputs=fingerprint(self.settings))
            publish(self.settings, public_models(project()), built)

    def rebuild(self, data_tests: bool = False) -> None:
        """The whole night, without Dagster. Data tests take dbt long, and few tests are of them."""
        self.ingest()
        self.build(*(() if data_tests else NO_DATA_TESTS))
        self.publish()

    def query(self, sql: str) -> list[tuple]:
        """Query the file that dbt builds in."""
        with duckdb.connect(str(self.home / "warehouse.duckdb"), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    def published(self, sql: str) -> list[tuple]:
        """Query what BI tools read."""
        path = self.home / "published" / "reports.duckdb"
        with duckdb.connect(str(path), read_only=True) as connection:
            return connection.execute(sql).fetchall()


@contextlib.contextmanager
def hostile_people() -> Iterator[None]:
    """Have the simulated organisation made of people with such names meanwhile."""

    def named(*arguments: object) -> list[User]:
        users = people(*arguments)
        others = [user for user in users if user.id != NIGHTLY]
        names = dict(zip((user.id for user in others), HOSTILE, strict=False))
        return [
            user._replace(id=names[user.id], name=names[user.id]) if user.id in names else user
            for user in users
        ]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("examples.simulator.people", named)
        yield


def files_naming(folder: Path, *texts: str) -> list[Path]:
    """Every file that has one of the texts, unpacked, by other means than the project's."""
    found = []
    for path in (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()):
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
        if path.suffix == ".zst":
            content = zstd.decompress(content)
        if path.suffix == ".parquet":
            content = duckdb.sql(f"from read_parquet('{path}')").df().to_csv().encode()
        if path.suffix == ".duckdb":
            with duckdb.connect(str(path), read_only=True) as connection:
                tables = connection.execute(
                    "select schema_name || '.' || table_name from duckdb_tables()"
                ).fetchall()
                content = "".join(connection.table(t).df().to_csv() for (t,) in tables).encode()
        if any(text.encode() in content for text in texts):
            found.append(path.relative_to(folder))
    return found


def where(target: Path) -> tuple[str, ...]:
    """The arguments of dbt that say where things are."""
    return "--profiles-dir", "profiles", "--target-path", str(target)


def declared_data_tests() -> int:
    """Count the data tests in YAML files and in tests/singular."""

    def count(part: object) -> int:
        if isinstance(part, dict):
            return sum(
                len(value) if name == "data_tests" else count(value) for name, value in part.items()
            )
        return sum(map(count, part)) if isinstance(part, list) else 0

    files = [file for folder in ("models", "seeds") for file in Path(folder).rglob("*.yml")]
    declared = sum(count(yaml.safe_load(file.read_text())) for file in files)
    return declared + len(list(Path("tests/singular").glob("*.sql")))


@contextlib.contextmanager
def webhook() -> Iterator[tuple[str, list[dict]]]:
    """The address of a server, which refuses if its path says so, and the messages it was sent."""
    received: list[dict] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(500 if "refused" in self.path else 200)
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/alert", received
        server.shutdown()


class Postgres:
    """A PostgreSQL server on loopback, and what its administrator says to it."""

    user, password = "litellm", "pass phrase/of:ours"

    def __init__(self, folder: Path, binaries: Path) -> None:
        self.folder, self.binaries, self.port = folder, binaries, free_port()
        (folder / "password").write_text(self.password)
        # It refuses to run as root.
        self.account = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        if self.account:
            for path in (folder, folder / "password"):
                shutil.chown(path, "postgres")
        self.do("initdb", "--auth=scram-sha-256", f"--username={self.user}", "--no-sync",
                f"--pwfile={folder}/password", "--encoding=UTF8")  # fmt: skip
        with (folder / "data" / "postgresql.conf").open("a") as settings:
            settings.write(
                f"listen_addresses = '127.0.0.1'\nport = {self.port}\nfsync = off\n"
                "unix_socket_directories = ''\nlog_statement = 'all'\n"
            )
        self.start()

    def do(self, program: str, *arguments: str) -> None:
        command = [*self.account, self.binaries / program, "-D", self.folder / "data", *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/")

    def start(self) -> None:
        self.do("pg_ctl", "start", "--wait", "-l", str(self.folder / "log"))

    def stop(self) -> None:
        self.do("pg_ctl", "stop", "--mode=immediate")

    def url(self, **changed: str) -> str:
        parts = {"user": self.user, "password": self.password, "port": self.port} | changed
        parts["password"] = quote(parts["password"], safe="")
        return "postgresql://{user}:{password}@127.0.0.1:{port}/postgres".format(**parts)

    def execute(self, *statements: str) -> None:
        with (
            dbapi.connect(self.url(), autocommit=True) as connection,
            connection.cursor(adbc_stmt_kwargs={"adbc.postgresql.use_copy": "false"}) as cursor,
        ):
            for statement in statements:
                cursor.execute(statement)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    binaries = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
    if not binaries:
        pytest.skip("PostgreSQL is not installed: tests on one are left out")
    with tempfile.TemporaryDirectory() as folder:
        server = Postgres(Path(folder), binaries[-1].parent)
        yield server
        server.stop()


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


_left_out: list[pytest.Item] = []


def pytest_sessionstart(session: pytest.Session) -> None:
    """Have dbt's manifest made once, before several processes ask for it at the same time."""
    if not hasattr(session.config, "workerinput"):
        project()


def pytest_deselected(items: list[pytest.Item]) -> None:
    _left_out.extend(items)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was left out; and after `make faults` what was tried, and what came of it."""
    for command, has_faults in (("make test", False), ("make faults", True)):
        files = Counter(
            item.path.stem
            for item in _left_out
            if (item.get_closest_marker("faults") is not None) == has_faults
        )
        if files:
            which = ", ".join(f"{number} of {name}" for name, number in files.items())
            terminalreporter.write_line(f"\nLeft to {command}: {which}")
    reports = [report for reports in terminalreporter.stats.values() for report in reports]
    tests = [report for report in reports if isinstance(report, pytest.TestReport)]
    seconds = {report.nodeid: report.duration for report in tests if report.when == "call"}
    rows = [
        (*dict(report.user_properties)["tally"].values(), f"{seconds.get(report.nodeid, 0):.0f}")
        for report in tests
        if report.when == "teardown" and "tally" in dict(report.user_properties)
    ]
    if rows:
        head = (
            "fault",
            "tried",
            "lost",
            "duplicated",
            "wrongly published",
            "left of a person",
            "",
            "seconds",
        )
        table = Table(*head)
        for row in rows:
            table.add_row(*map(str, row))
        terminalreporter.write_line("")
        with io.StringIO() as text:
            Console(file=text, width=150, markup=False).print(table)
            terminalreporter.write(text.getvalue())


@pytest.fixture(scope="session")
def dbt_target(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One target folder for the session, so that dbt parses the project once."""
    return tmp_path_factory.mktemp("target")


@pytest.fixture
def warehouse(
    tmp_path: Path, dbt_target: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Warehouse]:
    monkeypatch.setenv("AI_USAGE_HOME", str(tmp_path / "home"))
    yield Warehouse(tmp_path / "home", dbt_target)


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real events and traces that lie beside the project, where they do."""
    if not SHARED.exists():
        pytest.skip("../shared/data is not here: tests on its events and traces are left out")
    return SHARED
