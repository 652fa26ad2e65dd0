"""Who the servers answer: people at their own names, and no other web site by way of a browser.

A page of somebody else's, in the browser of whoever may see these servers, may send requests to
them. Browsers say so in Origin and Sec-Fetch-Site, which pages cannot forge; programs send neither.
"""

import base64
import secrets
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orchestration.settings import Settings

_LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")
# Nobody else's page frames ours or loads a part of it, nor is told where people come from.
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
}
_MESSAGES = {
    401: "Sign in with what AI_USAGE_SIGN_IN says.",
    403: "Refused: another web site sent this. A proxy in between must hand on the Host header.",
    405: "Refused: queries of GraphQL come by POST.",
}


def guarded(app: ASGIApp, settings: Settings) -> ASGIApp:
    """Return an app that answers only what `app` should be asked, HTTP and websockets alike."""
    return TrustedHostMiddleware(
        _Guard(app, settings), allowed_hosts=host_names(settings), www_redirect=False
    )


def host_names(settings: Settings) -> list[str]:
    """Return the names by which the servers may be asked, as Host headers have them."""
    names = dict.fromkeys((*_LOOPBACK_NAMES, in_urls(settings.host), *settings.host_names))
    return [name for name in names if name not in ("0.0.0.0", "[::]")]  # noqa: S104


def in_urls(host: str) -> str:
    """Return an address as it stands in URLs: of IPv6, in brackets."""
    try:
        return f"[{host}]" if ip_address(host).version == 6 else host
    except ValueError:
        return host


class _Guard:
    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self.sign_in = settings.sign_in and settings.sign_in.get_secret_value().encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        refused = self._refused(scope)
        answer = self.app
        if refused:
            headers = {"WWW-Authenticate": 'Basic realm="AI usage", charset="UTF-8"'}
            headers = headers if refused == 401 else {}
            answer = PlainTextResponse(f"{_MESSAGES[refused]}\n", refused, headers)
        await answer(scope, receive, send_with_headers)

    def _refused(self, scope: Scope) -> int | None:
        headers = Headers(scope=scope)
        if _is_of_another_site(scope, headers):
            return 403
        if self.sign_in and not _is_signed_in(headers, self.sign_in):
            return 401
        # Dagster would do by GET whatever a query says.
        if scope["path"].strip("/") == "graphql" and scope.get("method", "POST") != "POST":
            return 405
        return None


def _is_of_another_site(scope: Scope, headers: Headers) -> bool:
    origin = headers.get("origin")
    if origin is not None and urlsplit(origin).netloc.lower() != headers["host"].lower():
        return True
    if headers.get("sec-fetch-site", "none") in ("same-origin", "none"):
        return False
    # Whoever follows a link from elsewhere comes to look.
    is_link = scope.get("method") == "GET" and headers.get("sec-fetch-dest") == "document"
    return not is_link


def _is_signed_in(headers: Headers, expected: bytes) -> bool:
    kind, _, told = headers.get("authorization", "").partition(" ")
    try:
        given = base64.b64decode(told, validate=True)
    except ValueError:
        return False
    return kind.lower() == "basic" and secrets.compare_digest(given, expected)
