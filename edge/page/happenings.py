"""Happenings: a run's events, and its state as often as a person can follow, as server-sent events.

A browser that lost its connection says which event it saw last, and gets those it missed.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Final

from edge.events import EventLog
from edge.page.state import PageState

_LOOK_S: Final = 0.25
_HEART_S: Final = 2.0  # a state is sent this often though nothing changes
_REPLAYED: Final = 200  # of the past, for who comes anew


async def happenings(
    log: EventLog, state: PageState, last_id: str | None, ended: Callable[[], bool]
) -> AsyncIterator[bytes]:
    """Yield `happened` and `state` messages until the run ends.

    Args:
        log: the run's events.
        state: how the run stands.
        last_id: the `Last-Event-ID` that a browser sends; of another run, or none, it gets the last events.
        ended: whether to stop.
    """
    seen = _number(log, last_id)
    sent: tuple[int, str] | None = None
    sent_s = float("-inf")
    yield b"retry: 1000\n\n"
    while not ended():
        for event in log.after(seen):
            happened = state.happened(event)
            seen = event.number
            yield f"id: {happened.id}\nevent: happened\ndata: {happened.model_dump_json()}\n\n".encode()
        now = state.state()
        mark, now_s = (now.counts.predicted, now.kind), time.monotonic()
        if mark != sent or now_s - sent_s >= _HEART_S:
            sent, sent_s = mark, now_s
            yield f"event: state\ndata: {now.model_dump_json()}\n\n".encode()
        await asyncio.sleep(_LOOK_S)


def _number(log: EventLog, last_id: str | None) -> int:
    """Return the number of the last event that needs not be sent."""
    run, _, number = (last_id or "").partition("-")
    if run == log.run and number.isascii() and number.isdecimal() and len(number) < 16:
        return int(number)
    past = log.latest(_REPLAYED)
    return past[0].number - 1 if past else 0
