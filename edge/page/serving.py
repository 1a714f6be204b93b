"""Serving: the page in a thread of a run, from before its first frame until its end."""

import asyncio
import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import uvicorn

from edge.live import Live
from edge.page.address import PageOptions, listen
from edge.page.app import Shown, page_app
from edge.page.door import Door
from edge.page.gallery import Gallery
from edge.page.guard import MOST_HEAD, Guard
from edge.page.metrics import Metrics
from edge.page.models import Models
from edge.page.protocol import PatientProtocol
from edge.page.state import PageState
from edge.page.stream import Pictures
from edge.sinks import Sink
from edge.swap import Swapper
from natadv.errors import ConfigError, ResourceError

_MOST_CONNECTIONS: Final = 100
_START_S: Final = 20.0
_END_S: Final = 1  # that open answers have left at the end


@contextlib.contextmanager
def page_of(
    live: Live, swapper: Swapper, bundle: Path, options: PageOptions, gallery: Gallery | None = None
) -> Iterator[Sequence[Sink]]:
    """Serve the page of a run, and give the sinks that it lives on.

    Args:
        live: the run, which has yet to begin; where the page is served is said as an event.
        swapper: of its models.
        bundle: its first one.
        options: where and for whom.
        gallery: of evidence.

    Raises:
        ConfigError: if the address, the token, the certificate or the folder of bundles is wrong.
    """
    models = Models(live.slot, swapper, bundle, options.bundles)
    listener = listen(options)
    with contextlib.closing(listener):
        host, port = listener.getsockname()[:2]
        secure = options.cert is not None
        door = None if options.token is None else Door(options.token, port=port, secure=secure)
        state = PageState(live)
        pictures = Pictures(lambda: state.trouble)
        metrics = Metrics(live, models, lambda: state.readiness, lambda: 0 if door is None else door.tries.failed)
        ended = threading.Event()
        app = page_app(Shown(state, live.events, models, pictures, metrics.registry, gallery, ended.is_set))
        server = _server(Guard(app, door=door, host=options.host), options)
        thread = threading.Thread(target=server.run, args=([listener],), name="page", daemon=True)
        thread.start()
        pictures.start()
        try:
            _wait_for(server, thread)
            live.events.add("page", _url(options, host, port))
            yield state, pictures, metrics
        finally:
            ended.set()
            pictures.end()
            server.should_exit = True
            thread.join()


class _Server(uvicorn.Server):
    """Uvicorn's, which leaves signals alone in a thread that is not the main one, and no connection behind."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End, and cut what is still open then."""
        await super().shutdown(sockets)
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await asyncio.sleep(0)  # the loop closes what was aborted


def _server(app: Guard, options: PageOptions) -> uvicorn.Server:
    config = uvicorn.Config(
        app,
        http=PatientProtocol,
        ws="none",
        lifespan="off",
        loop="asyncio",
        log_config=None,
        log_level="error",
        access_log=False,
        proxy_headers=False,  # an address that is told by a header would not slow anyone's tries
        server_header=False,
        limit_concurrency=_MOST_CONNECTIONS,
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


def _url(options: PageOptions, host: str, port: int) -> str:
    return f"{'http' if options.cert is None else 'https'}://{f'[{host}]' if ':' in host else host}:{port}/"
