"""Everything that runs between the nights: Dagster's daemon and pages, and the Reports page."""

import http.server
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from orchestration.console import console
from orchestration.operations.dagster_home import prepare_dagster
from orchestration.settings import PROJECT, Settings, UserError

_GRACE_S = 30


def serve(settings: Settings) -> None:
    """Run until stopped, or until one of the servers ends: then whoever started this starts anew.

    Nothing here asks for a password, so other hosts belong behind a proxy that does.

    Raises:
        UserError: a port is taken, or one of the servers ended by itself.
    """
    prepare_dagster(settings)
    page = _page_server(settings)
    threading.Thread(target=page.serve_forever, daemon=True).start()

    beside = Path(sys.executable)
    module = ["-m", "orchestration.definitions"]
    address = ["--host", settings.host, "--port", str(settings.dagster_port)]
    commands = {
        "dagster-webserver": [*address, *module],
        "dagster-daemon": ["run", *module],
    }
    servers = {
        name: subprocess.Popen([str(beside.with_name(name)), *arguments], cwd=PROJECT)
        for name, arguments in commands.items()
    }
    console.print(
        f"The Reports page:  http://{settings.host}:{settings.page_port}\n"
        f"Dagster:           http://{settings.host}:{settings.dagster_port}\n"
        "The night runs by itself. Stop with Ctrl+C."
    )
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    try:
        while not stopped.wait(1):
            for name, server in servers.items():
                if server.poll() is not None:
                    raise UserError(f"{name} ended by itself; what it said stands above.")
    finally:
        page.shutdown()
        _stop(list(servers.values()))


def _stop(servers: list[subprocess.Popen]) -> None:
    for server in servers:
        server.terminate()
    until = time.monotonic() + _GRACE_S
    for server in servers:
        try:
            server.wait(max(0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            server.kill()


def _page_server(settings: Settings) -> http.server.ThreadingHTTPServer:
    class Handler(http.server.SimpleHTTPRequestHandler):
        def translate_path(self, path: str) -> str:
            # Links to folders of the current version, followed anew for each request.
            folder, _, rest = path.lstrip("/").partition("/")
            is_docs = folder == "data_docs"
            self.directory = str(settings.published / ("data_docs" if is_docs else "page"))
            return super().translate_path(rest if is_docs else path)

        def log_message(self, *arguments: object) -> None:
            pass

    try:
        return http.server.ThreadingHTTPServer((settings.host, settings.page_port), Handler)
    except OSError as error:
        raise UserError(
            f"The Reports page cannot be served at {settings.host}:{settings.page_port}: "
            f"{error.strerror}. Set AI_USAGE_HOST and AI_USAGE_PAGE_PORT to an address that is "
            "free."
        ) from None
