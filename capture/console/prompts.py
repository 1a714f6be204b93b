"""Prompts: what the operator is asked to do by hand, as wiping the plate, shown on the page and answered there.

`Prompts` is an operator, see rigs.operator, whom drivers tell and ask.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from natadv.errors import DeviceError


@dataclass(frozen=True, slots=True)
class Prompt:
    """Something that waits for a person; `number` is its place among all, from 1."""

    number: int
    words: str


class Prompts:
    """One prompt at a time, asked in one thread and answered from any; an `Operator`."""

    def __init__(self, said: Callable[[str], None]) -> None:
        """Name who takes what is told."""
        self._said = said
        self._changed = threading.Condition()
        self._turn = threading.Lock()
        self._count = 0
        self._now: Prompt | None = None
        self._answer: Literal["done", "refused", "cancelled"] | None = None

    @property
    def now(self) -> Prompt | None:
        """What waits to be done; None: nothing."""
        return self._now

    def tell(self, message: str) -> None:
        """Show a message; do not wait."""
        self._said(message)

    def ask(self, message: str) -> None:
        """Show what is to be done, and return when somebody says that it is.

        Raises:
            DeviceError: if somebody says no, or `cancel` is called meanwhile.
        """
        with self._turn, self._changed:
            self._count += 1
            self._now, self._answer = Prompt(self._count, message), None
            try:
                self._changed.wait_for(lambda: self._answer is not None)
            finally:
                self._now = None
            if self._answer == "refused":
                raise DeviceError(f"{message}: the operator says no")
            if self._answer == "cancelled":
                raise DeviceError(f"{message}: cancelled")

    def cancel(self) -> None:
        """Let an `ask` that waits in another thread raise; without one, do nothing."""
        with self._changed:
            if self._now is not None and self._answer is None:
                self._answer = "cancelled"
                self._changed.notify_all()

    def answer(self, number: int, *, done: bool) -> bool:
        """Answer a prompt; return whether it was the one that waits."""
        with self._changed:
            if self._now is None or self._now.number != number or self._answer is not None:
                return False
            self._answer = "done" if done else "refused"
            self._changed.notify_all()
            return True
