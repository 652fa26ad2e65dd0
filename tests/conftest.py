"""A warehouse of its own for each test, driven in this process."""

import contextlib
import http.server
import io
import json
import os
import shutil
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
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

from orchestration.dbt import project, public_models  # noqa: E402
from orchestration.fingerprints import fingerprint  # noqa: E402
from orchestration.ingestion import Summary, ingest  # noqa: E402
from orchestration.publication import publish  # noqa: E402
from orchestration.settings import Settings, load_settings  # noqa: E402
from orchestration.sources import SOURCES  # noqa: E402


class Warehouse:
    """An AI_USAGE_HOME, and what people and the nightly job do with it."""

    def __init__(self, home: Path, target: Path) -> None:
        self.home, self.target = home, target
        self.landing, self.raw = home / "landing", home / "raw"

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
        """Run dbt as an analyst does; return what it printed."""
        _ = self.settings
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            result = dbtRunner().invoke(
                [*arguments, "--profiles-dir", "profiles", "--target-path", str(self.target)]
            )
        # dbt keeps the file open for the process's life, which here outlives the run.
        DuckDBConnectionManager.close_all_connections()
        if check:
            assert result.success, printed.getvalue()[-5000:]
        return printed.getvalue()

    def build(self, *arguments: str) -> str:
        return self.dbt("build", "--exclude-resource-type", "unit_test", *arguments)

    def publish(self, page: bool = False) -> None:
        """Publish the tables. The page takes seconds to build, and few tests look at it."""
        with pytest.MonkeyPatch.context() as patch:
            if not page:
                patch.setattr("orchestration.reports_page.build_page", lambda *_: None)
            publish(self.settings, public_models(project()), fingerprint(self.settings))

    def rebuild(self) -> None:
        """The whole night, without Dagster."""
        self.ingest()
        self.build()
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


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def pytest_sessionstart(session: pytest.Session) -> None:
    """Have dbt's manifest made once, before several processes ask for it at the same time."""
    if not hasattr(session.config, "workerinput"):
        project()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """After `make faults`: what was tried, and what came of it."""
    reports = [report for reports in terminalreporter.stats.values() for report in reports]
    tests = [report for report in reports if isinstance(report, pytest.TestReport)]
    seconds = {report.nodeid: report.duration for report in tests if report.when == "call"}
    rows = [
        (*dict(report.user_properties)["tally"].values(), f"{seconds.get(report.nodeid, 0):.0f}")
        for report in tests
        if report.when == "teardown" and "tally" in dict(report.user_properties)
    ]
    if rows:
        head = ("fault", "tried", "lost", "duplicated", "wrongly published", "", "seconds")
        table = Table(*head)
        for row in rows:
            table.add_row(*map(str, row))
        terminalreporter.write_line("")
        with io.StringIO() as text:
            Console(file=text, width=150).print(table)
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
