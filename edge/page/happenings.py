"""Happenings: the events of a run, and its state as often as a person can follow, as server-sent events.

A browser that lost its connection says which event it saw last, and gets those it missed.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Final, Protocol, TypeVar

from pydantic import BaseModel

from edge.page.answers import Happened

_LOOK_S: Final = 0.25
_HEART_S: Final = 2.0  # a state is sent this often though nothing changes
_REPLAYED: Final = 200  # of the past, for who comes anew


class Numbered(Protocol):
    """An event with its place among all of a run, from 1."""

    @property
    def number(self) -> int:
        """That place."""
        ...


E = TypeVar("E", bound=Numbered)


class Log(Protocol[E]):
    """What keeps the last events of a run; `run` tells their numbers from those of another."""

    run: str

    def latest(self, count: int) -> list[E]:
        """Return the last so many events, the newest last."""
        ...

    def after(self, number: int) -> list[E]:
        """Return the events kept that have a higher number, in order."""
        ...


async def happenings(
    log: Log[E],
    happened: Callable[[E], Happened],
    state: Callable[[], tuple[object, BaseModel]],
    last_id: str | None,
    ended: Callable[[], bool],
) -> AsyncIterator[bytes]:
    """Yield `happened` and `state` messages until the run ends; the last ones tell how.

    Args:
        log: the run's events.
        happened: says an event as it is told.
        state: how the run stands, and before it a mark by which it is seen that this is worth sending.
        last_id: the `Last-Event-ID` that a browser sends; of another run, or none, it gets the last events.
        ended: whether to stop.
    """
    seen = _number(log, last_id)
    sent: object = None
    sent_s = float("-inf")
    yield b"retry: 1000\n\n"
    over = False
    while not over:
        over = ended()  # before the last look, so that nothing of the end is missed
        for event in log.after(seen):
            told = happened(event)
            seen = event.number
            yield f"id: {told.id}\nevent: happened\ndata: {told.model_dump_json()}\n\n".encode()
        mark, now = state()
        now_s = time.monotonic()
        if over or mark != sent or now_s - sent_s >= _HEART_S:
            sent, sent_s = mark, now_s
            yield f"event: state\ndata: {now.model_dump_json()}\n\n".encode()
        if not over:
            await asyncio.sleep(_LOOK_S)


def _number(log: Log[E], last_id: str | None) -> int:
    """Return the number of the last event that needs not be sent."""
    run, _, number = (last_id or "").partition("-")
    if run == log.run and number.isascii() and number.isdecimal() and len(number) < 16:
        return int(number)
    past = log.latest(_REPLAYED)
    return past[0].number - 1 if past else 0
