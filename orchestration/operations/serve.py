"""Everything that runs between the nights: Dagster's daemon and pages, and the Reports page."""

import html
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from os import PathLike, stat_result
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Scope

from orchestration.console import console
from orchestration.operations.dagster_home import prepare_dagster
from orchestration.operations.guard import guarded, host_names, in_urls
from orchestration.settings import PROJECT, Settings, UserError, variable

_GRACE_S = 30
_MODULE = "orchestration.definitions"
# As dagster-webserver has them by default.
_STATEMENT_TIMEOUT_MS, _POOL_RECYCLE_S, _POOL_MAX_OVERFLOW = 15_000, 3600, 20
# By the settings of their ports.
_SERVERS = {"page_port": "The Reports page", "dagster_port": "Dagster"}
# A page says in its head what it may do, since it is opened from disk, too.
_POLICY = re.compile(rb'<meta http-equiv="Content-Security-Policy" content="([^"]*)">')
_HEAD_BYTES = 4096


def serve(settings: Settings) -> None:
    """Run until stopped, or until one of the servers ends: then whoever started this starts anew.

    Raises:
        UserError: a port is taken, or one of the servers ended by itself.
    """
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    with ExitStack() as stack:
        sockets = {name: stack.enter_context(_listening(settings, name)) for name in _SERVERS}
        prepare_dagster(settings)
        apps = (_page(settings), stack.enter_context(_dagster()))
        # Once the files of a new history are there: both at once would write in them twice.
        daemon = stack.enter_context(_daemon())
        threads = [
            stack.enter_context(_served(guarded(app, settings), sockets[name]))
            for name, app in zip(_SERVERS, apps, strict=True)
        ]
        host = in_urls(settings.host)
        console.print(
            f"The Reports page:  http://{host}:{settings.page_port}\n"
            f"Dagster:           http://{host}:{settings.dagster_port}\n"
            f"Both answer to the names {', '.join(host_names(settings))} alone; "
            f"{variable('host_names')} adds others.\n"
            "The night runs by itself. Stop with Ctrl+C."
        )
        while not stopped.wait(1):
            has_ended = [not thread.is_alive() for thread in threads] + [daemon.poll() is not None]
            for what, ended in zip((*_SERVERS.values(), "dagster-daemon"), has_ended, strict=True):
                if ended:
                    raise UserError(f"{what} ended by itself; what it said stands above.")


def _listening(settings: Settings, port: str) -> socket.socket:
    """Return a socket at the port that a setting names."""
    number = getattr(settings, port)
    try:
        family, *_, address = socket.getaddrinfo(settings.host, number, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family)
    except OSError as error:
        why = error.strerror.partition(" (")[0]
        raise UserError(
            f"{_SERVERS[port]} cannot be served at {in_urls(settings.host)}:{number}: {why}. Set "
            f"{variable('host')} and {variable(port)} to an address that is free."
        ) from None


@contextmanager
def _served(app: ASGIApp, listening: socket.socket) -> Iterator[threading.Thread]:
    config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=_GRACE_S // 2)
    server = uvicorn.Server(config)
    # A thread, in which uvicorn leaves signals to whoever waits for both.
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    try:
        yield thread
    finally:
        server.should_exit = True
        thread.join(_GRACE_S)


@contextmanager
def _daemon() -> Iterator[subprocess.Popen]:
    program = Path(sys.executable).with_name("dagster-daemon")
    daemon = subprocess.Popen([str(program), "run", "--module-name", _MODULE], cwd=PROJECT)
    try:
        yield daemon
    finally:
        daemon.terminate()
        try:
            daemon.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            daemon.kill()


@contextmanager
def _dagster() -> Iterator[ASGIApp]:
    """Give what the command dagster-webserver serves, which takes no middleware."""
    from dagster import DagsterInstance, __version__
    from dagster._core.workspace.context import WorkspaceProcessContext
    from dagster._core.workspace.load_target import ModuleTarget
    from dagster_webserver.app import create_app_from_workspace_process_context

    target = ModuleTarget(_MODULE, None, str(PROJECT), None)
    with DagsterInstance.get() as instance:
        instance.optimize_for_webserver(_STATEMENT_TIMEOUT_MS, _POOL_RECYCLE_S, _POOL_MAX_OVERFLOW)
        with WorkspaceProcessContext(instance, target, __version__) as context:
            yield create_app_from_workspace_process_context(context, live_data_poll_rate=2000)


def _page(settings: Settings) -> Starlette:
    """Serve the page and the Data Docs of the current version, and no lists of their folders."""
    published = settings.published
    return Starlette(
        routes=[
            Route("/data_docs", lambda _: RedirectResponse("/data_docs/")),
            Mount("/data_docs", _Published(published / "data_docs")),
            Mount("/", _Published(published / "page")),
        ]
    )


class _Published(StaticFiles):
    """A folder of the current version; its link is followed anew for each request."""

    def __init__(self, folder: Path) -> None:
        super().__init__(directory=folder, html=True, check_dir=False)

    async def check_config(self) -> None:
        """Take it as it is: before the first night there is no such folder."""

    def file_response(
        self, full_path: str | PathLike[str], stat_result: stat_result, scope: Scope, *rest: int
    ) -> Response:
        """Send the policy that a page has in its head as headers, and frame it nowhere."""
        answer = super().file_response(full_path, stat_result, scope, *rest)
        policy = "default-src 'none'"
        if Path(full_path).suffix == ".html":
            with Path(full_path).open("rb") as file:
                declared = _POLICY.search(file.read(_HEAD_BYTES))
            policy = html.unescape(declared[1].decode()) if declared else policy
        answer.headers["Content-Security-Policy"] = f"{policy}; frame-ancestors 'none'"
        # Else browsers may show files of two nights together.
        answer.headers["Cache-Control"] = "no-cache"
        return answer
