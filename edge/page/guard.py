"""Guard: stands before the page, refuses what is no business of it, and gives every answer its security headers.

It refuses foreign names (DNS rebinding), requests that another site's page made, bodies that are too large or too
slow, and whoever the door keeps out.
"""

import asyncio
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edge.page.address import is_loopback
from edge.page.door import LOGIN, Door, refusal

MOST_HEAD: Final = 16 << 10
MOST_BODY: Final = 64 << 10
_BODY_S: Final = 10.0
_SAFE: Final = ("GET", "HEAD")
_HEADERS: Final = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';"
    " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    # None at all would have browsers say that the login form comes from nowhere ("Origin: null").
    "referrer-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}


class Guard:
    """An ASGI application around another."""

    def __init__(self, app: ASGIApp, *, door: Door | None, host: str) -> None:
        """Guard an application.

        Args:
            app: what is guarded.
            door: for a page with a token; None: all may come who ask for it by a name of loopback's, or `host`.
            host: what the page was told to be served at.
        """
        self._app, self._door, self._host = app, door, host.lower()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or let the application do so."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        answer = self._refuse(scope)
        if answer is None and scope["method"] not in _SAFE:
            body = await _read(receive)
            if isinstance(body, Response):
                answer = body
            elif self._door is not None and scope["path"] == LOGIN:
                answer = self._door.login(scope, body)
            else:
                receive = _replay(body, receive)
        await (answer or self._app)(scope, receive, send_with_headers)

    def _refuse(self, scope: Scope) -> Response | None:
        """Return why a request is refused by its head alone; None: it is not."""
        # What arrives in one piece, uvicorn does not measure.
        if sum(len(name) + len(value) for name, value in scope["headers"]) + len(scope["query_string"]) > MOST_HEAD:
            return refusal(431, f"at most {MOST_HEAD >> 10} KiB of headers")
        headers = Headers(scope=scope)
        host, origin = headers.get("host", ""), headers.get("origin")
        if self._door is None and not self._knows(host):
            return refusal(421, "this page goes by other names; ask for it at localhost")
        safe = scope["method"] in _SAFE
        foreign = headers.get("sec-fetch-site") in ("cross-site", "same-site")
        visited = safe and headers.get("sec-fetch-mode") == "navigate"  # somebody followed a link
        if (foreign and not visited) or (not safe and origin is not None and _netloc(origin) != host.lower()):
            return refusal(403, "another site's page may not ask for this")
        return None if self._door is None else self._door.refuse(scope)

    def _knows(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        return is_loopback(name) or name == self._host


def _netloc(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


async def _read(receive: Receive) -> bytes | Response:
    """Return a request's body, or what to answer if it is too large or too slow."""
    body = bytearray()
    try:
        async with asyncio.timeout(_BODY_S):
            while True:
                message = await receive()
                body += message.get("body", b"")
                if len(body) > MOST_BODY:
                    return refusal(413, f"at most {MOST_BODY >> 10} KiB", {"connection": "close"})
                if not message.get("more_body", False):
                    return bytes(body)
    except TimeoutError:
        return refusal(408, f"the request took longer than {_BODY_S:g} s", {"connection": "close"})


def _replay(body: bytes, receive: Receive) -> Receive:
    """Return what gives the body that was read, then whatever comes."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return waiting.pop() if waiting else await receive()

    return again
