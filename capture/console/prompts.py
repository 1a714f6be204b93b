"""Prompts: what the operator is asked to do by hand, as wiping the plate, shown on the page and answered there."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

_LOOK_S: Final = 0.2


@dataclass(frozen=True, slots=True)
class Prompt:
    """Something that waits for a person; `number` is its place among all, from 1."""

    number: int
    words: str


class Prompts:
    """One prompt at a time, asked in one thread and answered from any."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._turn = threading.Lock()
        self._count = 0
        self._now: Prompt | None = None
        self._answer: bool | None = None

    @property
    def now(self) -> Prompt | None:
        """What waits to be done; None: nothing."""
        return self._now

    def ask(self, words: str, cancelled: Callable[[], bool] = lambda: False) -> bool:
        """Ask, and return when it was answered: True for done, False for refused or cancelled.

        Args:
            words: one line.
            cancelled: asked now and then; where it is true nobody waits any longer.
        """
        with self._turn, self._changed:
            self._count += 1
            self._now, self._answer = Prompt(self._count, words), None
            try:
                while self._answer is None:
                    if cancelled():
                        return False
                    self._changed.wait(_LOOK_S)
                return self._answer
            finally:
                self._now = None

    def answer(self, number: int, *, done: bool) -> bool:
        """Answer a prompt; return whether it was the one that waits."""
        with self._changed:
            if self._now is None or self._now.number != number or self._answer is not None:
                return False
            self._answer = done
            self._changed.notify_all()
            return True
