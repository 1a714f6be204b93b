"""Herald: tells what happens while nobody asks a model, and what happened last, and keeps nobody waiting meanwhile.

While frames are answered, the worker tells events between two of them. Without it a listener that takes nothing (a
pipe that nobody empties) would hold up whoever told them, and the run looks after camera, signals and watchdog then.
"""

import threading
from collections.abc import Callable
from typing import Final

from natadv.errors import DataError

_EVERY_S: Final = 0.1


class Herald(threading.Thread):
    """Says what waits to be said, again and again.

    Attributes:
        failed: what ended it, if not `leave`.
    """

    def __init__(self, say: Callable[[], None]) -> None:
        """Say by that function, from `start` on."""
        super().__init__(name="herald", daemon=True)
        self.failed: BaseException | None = None
        self._say = say
        self._leaves = threading.Event()

    def run(self) -> None:
        """Say it, and once more when it is to leave."""
        try:
            while not self._leaves.wait(_EVERY_S):
                self._say()
            self._say()
        except BaseException as raised:  # noqa: BLE001  # it is raised in the other thread
            self.failed = raised

    def leave(self) -> None:
        """Come to an end soon; nobody waits for it."""
        self._leaves.set()


def last_words(say: Callable[[], None], patience_s: float) -> None:
    """Say once what waits to be said, and wait so long for it.

    Raises:
        DataError: if it takes longer.
        BaseException: what saying it raised, but for a listener that has gone: all others were told.
    """
    herald = Herald(say)
    herald.leave()
    herald.start()
    herald.join(patience_s)
    if herald.is_alive():
        raise unheard(patience_s)
    if herald.failed is not None and not isinstance(herald.failed, BrokenPipeError):
        raise herald.failed


def unheard(patience_s: float) -> DataError:
    """Return the error of a listener that has taken nothing for so long."""
    return DataError(
        f"standard output, or another listener, has taken nothing for {patience_s:g} s; what was told last is lost"
    )
