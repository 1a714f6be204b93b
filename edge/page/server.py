"""Server: an application behind its guard, in a thread of this process, from one moment until another."""

import asyncio
import contextlib
import functools
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from edge.page.address import PageOptions
from edge.page.door import Door
from edge.page.gate import BACKLOG, Gate
from edge.page.guard import MOST_HEAD, Guard
from edge.page.protocol import PatientProtocol
from natadv.errors import ConfigError, ResourceError

_HANDSHAKE_S: Final = 10.0  # for TLS
_START_S: Final = 20.0
_END_S: Final = 1  # that open answers have left at the end


def door_of(options: PageOptions, listener: socket.socket) -> Door | None:
    """Return who lets visitors in; None where anyone may come."""
    if options.token is None:
        return None
    return Door(options.token, port=listener.getsockname()[1], secure=options.cert is not None)


def url_of(options: PageOptions, listener: socket.socket) -> str:
    """Return the page's address, as a browser takes it."""
    host, port = listener.getsockname()[:2]
    return f"{'http' if options.cert is None else 'https'}://{f'[{host}]' if ':' in host else host}:{port}/"


@contextlib.contextmanager
def serving(app: ASGIApp, listener: socket.socket, options: PageOptions, door: Door | None) -> Iterator[None]:
    """Serve an application meanwhile.

    Args:
        app: what is guarded.
        listener: of `edge.page.address.listen`; it is the caller's to close.
        options: its host and its certificate.
        door: of `door_of`.

    Raises:
        ConfigError: if the certificate is wrong.
        ResourceError: if the server does not start.
    """
    with Gate(listener) as gate:
        server = _server(Guard(app, door=door, host=options.host), options, gate)
        thread = threading.Thread(target=server.run, args=([gate],), name="page", daemon=True)
        thread.start()
        try:
            _wait_for(server, thread)
            yield
        finally:
            server.should_exit = True
            thread.join()


class _Server(uvicorn.Server):
    """Uvicorn's, which leaves signals alone in a thread that is not the main one, and no connection behind."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin; uvicorn has no setting for how long a TLS handshake may take, and the loop's own is a minute."""
        loop = asyncio.get_running_loop()
        if self.config.ssl is not None:
            patient = functools.partial(loop.create_server, ssl_handshake_timeout=_HANDSHAKE_S)
            loop.create_server = patient  # type: ignore[method-assign]
        await super().startup(sockets)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End, and cut what is still open then."""
        await super().shutdown(sockets)
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await asyncio.sleep(0)  # the loop closes what was aborted


def _server(app: Guard, options: PageOptions, gate: Gate) -> uvicorn.Server:
    config = uvicorn.Config(
        app,
        http=type("GatedProtocol", (PatientProtocol,), {"gate": gate}),
        ws="none",
        lifespan="off",
        loop="asyncio",
        log_config=None,
        log_level="error",
        access_log=False,
        proxy_headers=False,  # an address that is told by a header would not slow anyone's tries
        server_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=10,
        timeout_graceful_shutdown=_END_S,
        h11_max_incomplete_event_size=MOST_HEAD,
        ssl_certfile=options.cert,
        ssl_keyfile=None if options.key is None else str(options.key),
    )
    try:
        config.load()
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"{options.cert}, {options.key}: no certificate with its key ({error})") from error
    return _Server(config)


def _wait_for(server: uvicorn.Server, thread: threading.Thread) -> None:
    end_s = time.monotonic() + _START_S
    while not server.started:
        if not thread.is_alive() or time.monotonic() > end_s:
            raise ResourceError("the page's server does not start; look at the machine's load, or leave --page out")
        time.sleep(0.01)
