"""Alive: a long attack reports while it works on a block of images, not only when one is done."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from torch import nn

_BETWEEN_S = 1.0


@contextmanager
def alive(
    model: nn.Module, report: Callable[[int], None], *, clock: Callable[[], float] = time.monotonic
) -> Iterator[Callable[[int], None]]:
    """Give a report that repeats what it was last told when the model is asked, once a second at most.

    A block of 32 images may take RayS' ten thousand queries, and with them an hour on a CPU.

    Args:
        model: that is attacked.
        report: told how many images are done.
        clock: in seconds.
    """
    last, said_s = 0, clock()

    def told(done: int) -> None:
        nonlocal last, said_s
        last, said_s = done, clock()
        report(done)

    def asked(*_: object) -> None:
        if clock() - said_s >= _BETWEEN_S:
            told(last)

    handle = model.register_forward_hook(asked)
    try:
        yield told
    finally:
        handle.remove()
