"""Streams that a bounded number of visitors may hold open, and a film as one of them.

Each picture is encoded once for all, in a thread of its own, and only while somebody watches. A visitor gets the newest
when the last one is through, so a slow one gets fewer and holds nobody up.
"""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable
from typing import Final, Generic, TypeVar

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from edge.page.door import refusal

BOUNDARY: Final = "natadv-picture"
MOST_VISITORS: Final = 16
_LEAST_S: Final = 1 / 15  # between two pictures
_LOOK_S: Final = 0.5  # how often is looked though nobody says that there is news

T = TypeVar("T")


class Seats:
    """Counts the visitors of a stream.

    Attributes:
        taken: how many there are.
    """

    def __init__(self, most: int = MOST_VISITORS) -> None:
        self.taken = 0
        self._most = most

    def take(self) -> bool:
        """Take a seat, if there is one; to be left again. Called in the server's thread alone."""
        if self.taken >= self._most:
            return False
        self.taken += 1
        return True

    def leave(self) -> None:
        """Leave a seat."""
        self.taken -= 1


class Stream(StreamingResponse):
    """An answer without end for whoever finds a seat; the others are told so."""

    def __init__(self, seats: Seats, chunks: AsyncIterator[bytes], media_type: str) -> None:
        super().__init__(chunks, media_type=media_type)
        self._seats = seats

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the visitor leaves or the run ends."""
        if not self._seats.take():
            answer = refusal(503, f"{self._seats.taken} visitors watch already; close one of them, or wait")
            await answer(scope, receive, send)
            return
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._seats.leave()


class Film(threading.Thread, Generic[T]):
    """Paints the newest of something for whoever watches.

    Attributes:
        seats: of those who watch.
        encoded: pictures so far.
    """

    def __init__(
        self, look: Callable[[], T | None], paint: Callable[[T], bytes], *, every_s: float = _LOOK_S, name: str
    ) -> None:
        """Prepare.

        Args:
            look: returns what there is to be painted, None where nothing is; painted again where it differs.
            paint: makes a JPEG of it.
            every_s: how often is looked while somebody watches, though nobody calls `tell`.
            name: of the thread.
        """
        super().__init__(name=name, daemon=True)
        self.seats = Seats()
        self.encoded = 0
        self._look, self._paint, self._every_s = look, paint, every_s
        self._news, self._ended = threading.Event(), threading.Event()
        self._first_look = False  # somebody came who has seen nothing yet
        self._loop: asyncio.AbstractEventLoop | None = None
        self._newest: tuple[int, bytes] = (0, b"")  # this and the next are the server's thread's
        self._changed = asyncio.Event()

    def tell(self) -> None:
        """Say that there is news; it is not painted here."""
        if self.seats.taken:
            self._news.set()

    def run(self) -> None:
        """Paint until `end`."""
        painted: T | None = None
        while not self._ended.is_set():
            self._news.wait(self._every_s if self.seats.taken else _LOOK_S)
            self._news.clear()
            loop = self._loop
            if not self.seats.taken or loop is None or (seen := self._look()) is None:
                continue
            if not self._first_look and painted is not None and painted == seen:
                continue
            self._first_look = False
            picture = self._paint(seen)
            painted = seen
            self.encoded += 1
            with contextlib.suppress(RuntimeError):  # the server ended meanwhile
                loop.call_soon_threadsafe(self._show, self.encoded, picture)
            self._ended.wait(_LEAST_S)

    def end(self) -> None:
        """Paint no more, and let all visitors go."""
        self._ended.set()
        self._news.set()
        self.join()
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._wake)

    async def parts(self) -> AsyncIterator[bytes]:
        """Yield the newest picture again and again, as parts of one document that a browser shows as a film."""
        self._loop = asyncio.get_running_loop()
        seen = self._newest[0]
        self._first_look = True
        self._news.set()
        head = f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\n\r\n".encode()
        yield head
        while not self._ended.is_set():
            number, picture = self._newest
            if number == seen:
                await self._changed.wait()
                continue
            seen = number
            # The next one's head comes with each: Chromium shows a picture when it has met what follows it.
            yield picture + b"\r\n" + head

    def _show(self, number: int, picture: bytes) -> None:
        self._newest = (number, picture)
        self._wake()

    def _wake(self) -> None:
        """Let all go on who wait, and have the next ones wait anew."""
        self._changed.set()
        self._changed = asyncio.Event()


def film_of(film: Film[T]) -> Stream:
    """Return a film as an answer."""
    return Stream(film.seats, film.parts(), f"multipart/x-mixed-replace; boundary={BOUNDARY}")
