"""Serving: the operator's page beside a session, which never waits for it."""

import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from capture.console.app import Shown, console_app
from capture.console.console import Console
from capture.console.painting import jpeg
from capture.console.state import ConsoleState
from edge.page.address import PageOptions, listen
from edge.page.server import door_of, serving, url_of
from edge.page.stream import Film
from rigs.frame import Frame

_EVERY_S: Final = 1 / 12  # between two looks for a new frame
_MOST_STOPS: Final = 8  # at once; a stop takes two seconds at most, and the first one is what counts


@contextlib.contextmanager
def console_page(console: Console, options: PageOptions) -> Iterator[str]:
    """Serve the page of a console, and give its address.

    Args:
        console: what it shows.
        options: where and for whom.

    Raises:
        ConfigError: if the address, the token or the certificate is wrong.
        ResourceError: if the server does not start.
    """
    with contextlib.closing(listen(options)) as listener:
        door = door_of(options, listener)
        ended = threading.Event()
        plain, peaking = films = (_film(console, peaking=False), _film(console, peaking=True))
        stops = ThreadPoolExecutor(_MOST_STOPS, thread_name_prefix="page-stop")
        shown = Shown(console, ConsoleState(console), plain, peaking, stops, ended.is_set)
        with serving(console_app(shown), listener, options, door):
            for film in films:
                film.start()
            try:
                yield url_of(options, listener)
            finally:
                ended.set()
                for film in films:
                    film.end()
                stops.shutdown()  # who pressed stop is told what came of it, before the server goes


def _film(console: Console, *, peaking: bool) -> Film[Frame]:
    name = "page-peaking" if peaking else "page-film"
    return Film(
        lambda: console.tap.newest, lambda frame: jpeg(frame.image, peaking=peaking), every_s=_EVERY_S, name=name
    )
