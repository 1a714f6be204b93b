"""Mailbox: one slot between a fast reader and a slower worker, which always holds the newest."""

import queue
import threading
import time
from typing import Generic, TypeVar

T = TypeVar("T")


class Mailbox(Generic[T]):
    """A slot that is overwritten by the next item if nobody took the last.

    Nothing queues, so what is taken is as new as can be, and nothing is taken twice.

    Attributes:
        seen: items put so far.
        skipped: items that were overwritten before anybody took them, or were too old then.
    """

    def __init__(self) -> None:
        self.seen = 0
        self.skipped = 0
        self._item: T | None = None
        self._closed = False
        self._error: BaseException | None = None
        self._changed = threading.Condition()

    @property
    def full(self) -> bool:
        """Whether an item waits to be taken, as of a moment ago."""
        return self._item is not None

    def put(self, item: T, *, wait: bool = False) -> bool:
        """Put an item in place of what is there.

        Args:
            item: not None.
            wait: first wait until what is there was taken, so that nothing is skipped.

        Returns:
            Whether the mailbox still takes items; False once it is closed.
        """
        with self._changed:
            while wait and self._item is not None and not self._closed:
                self._changed.wait()
            if self._closed:
                return False
            self.seen += 1
            self.skipped += self._item is not None
            self._item = item
            self._changed.notify_all()
            return True

    def take(self, timeout_s: float) -> T | None:
        """Take the item, waiting for one; None when the mailbox is closed and empty.

        Raises:
            queue.Empty: if none comes in time.
            BaseException: what the mailbox was closed with, once it is empty.
        """
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while self._item is None:
                if self._error is not None:
                    raise self._error
                if self._closed:
                    return None
                left_s = deadline - time.monotonic()
                if left_s <= 0:
                    raise queue.Empty
                self._changed.wait(left_s)
            item, self._item = self._item, None
            self._changed.notify_all()
            return item

    def skip(self) -> None:
        """Count an item that was taken as skipped: whoever took it let it go."""
        with self._changed:
            self.skipped += 1

    def close(self, error: BaseException | None = None) -> None:
        """Take no more items; the last one may still be taken, and `error` is raised after it."""
        with self._changed:
            if not self._closed:
                self._closed, self._error = True, error
            self._changed.notify_all()
