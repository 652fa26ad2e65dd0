"""Signing in, and the names by which the servers are asked; test_serve attacks Dagster itself."""

import base64
import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import uvicorn
from conftest import free_port
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from orchestration.operations.guard import guarded
from orchestration.settings import UserError, read_settings

SIGN_IN = "admin:lang genug: für alle"


async def _accept(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.close()


APP = Starlette(
    routes=[
        Route("/", lambda _: PlainTextResponse("secret"), methods=["GET", "POST"]),
        WebSocketRoute("/", _accept),
    ]
)


@contextmanager
def served() -> Iterator[Callable[..., int]]:
    """Give what asks the app, guarded as the settings are now, and returns the status."""
    port = free_port()
    config = uvicorn.Config(guarded(APP, read_settings()), port=port, log_level="warning")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()

    def ask(method: str = "GET", **headers: str) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            connection.request(method, "/", headers=headers)
            return connection.getresponse().status
        finally:
            connection.close()

    try:
        while not server.started:
            thread.join(0.01)
            assert thread.is_alive()
        yield ask
    finally:
        server.should_exit = True
        thread.join()


def basic(text: str) -> str:
    return f"Basic {base64.b64encode(text.encode()).decode()}"


def test_sign_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AI_USAGE_SIGN_IN", SIGN_IN)
    wrong = [
        {},
        {"Authorization": ""},
        {"Authorization": "Basic"},
        {"Authorization": "Basic not-base64!"},
        {"Authorization": basic("")},
        {"Authorization": basic("admin:")},
        {"Authorization": basic(SIGN_IN[:-1])},
        {"Authorization": basic(f"{SIGN_IN}!")},
        {"Authorization": basic(SIGN_IN).replace("Basic", "Bearer")},
    ]
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    }
    right = {"Authorization": basic(SIGN_IN)}
    with served() as ask:
        for headers in wrong:
            assert ask(**headers) == ask("POST", **headers) == ask(**headers, **upgrade) == 401
        assert ask(**right) == ask("POST", **right) == 200
        assert ask(**right, **upgrade) == 101
        # The browser of who has signed in sends it along for other sites, too.
        assert ask("POST", **right, Origin="https://evil.example") == 403


def test_names_of_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AI_USAGE_HOST", "0.0.0.0")  # noqa: S104
    monkeypatch.setenv("AI_USAGE_SIGN_IN", SIGN_IN)
    monkeypatch.setenv("AI_USAGE_HOST_NAMES", "Reports.acme.example, [fd00::1]")
    right = {"Authorization": basic(SIGN_IN)}
    with served() as ask:
        for host in ("reports.acme.example", "REPORTS.acme.example:443", "[fd00::1]:80", "[::1]"):
            assert ask(**right, Host=host) == 200, host
        for host in ("0.0.0.0", "[::]", "acme.example", "www.reports.acme.example", "[fd00::2]"):  # noqa: S104
            assert ask(**right, Host=host) == 400, host
        # A proxy that speaks TLS hands on the name.
        proxied = right | {"Host": "reports.acme.example"}
        assert ask("POST", **proxied, Origin="https://reports.acme.example") == 200
        assert ask("POST", **proxied, Origin="https://evil.example") == 403


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "warehouse.acme.example"])  # noqa: S104
def test_others_sign_in(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("AI_USAGE_HOST", host)
    with pytest.raises(UserError, match="so AI_USAGE_SIGN_IN must say"):
        read_settings()
    monkeypatch.setenv("AI_USAGE_SIGN_IN", SIGN_IN)
    assert read_settings().host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_who_sits_at_the_machine_need_not_sign_in(
    monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    monkeypatch.setenv("AI_USAGE_HOST", host)
    assert read_settings().sign_in is None
