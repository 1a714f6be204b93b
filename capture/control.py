"""Control: what people ask of a session while it records, from any thread.

Many may ask (a page, a terminal, a watchdog, a signal); the session's loop obeys at its safe points, by `check` and
`rest`. One wish does not wait for the loop: an emergency stop halts the stage and shuts the sprayer in threads of its
own, although the session's thread may be blocked in a device. What it was doing then cannot move them again, as the
loop reaches its devices through `capture.guard` alone, which asks here before and after every motion and spray.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Literal

from rigs.sprayer.base import Sprayer
from rigs.stage.base import Certain, Stage
from rigs.stops import Stops

Standing = Literal["running", "pausing", "paused", "stopping", "halted"]

OPERATOR: Final = "operator"
_PATIENCE_S: Final = 2.0


class Halted(Exception):
    """The session was halted: an emergency stop. Nothing may move any more."""


class Ended(Exception):
    """The session is to end here, in good order."""


class SkipAsked(Exception):
    """Somebody asked to skip the image that is being recorded."""


class ResprayAsked(Exception):
    """Somebody asked to dry and spray the plate once more, and to begin the image again."""


@dataclass(frozen=True, slots=True)
class _Wish:
    kind: Literal["skip", "respray"]
    item: int
    by: str


class Control:
    """The wishes of many for one session, and how far it has obeyed.

    Each wish returns whether it was taken: the same one twice, or one for an image that is no longer recorded, is not.
    `by` names who asks, in words for the journal.

    Attributes:
        stops: to open a rig with, so that an emergency stop reaches it before it is held.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._paused_by: str | None = None
        self._resumed_by: str | None = None
        self._resting = False
        self._wish: _Wish | None = None
        self._ended_by: str | None = None
        self._halted_by: str | None = None
        self._item: int | None = None
        self._devices: tuple[Stage, Sprayer] | None = None
        self.stops = Stops()

    def pause(self, by: str = OPERATOR) -> bool:
        """Ask the session to rest once the clip that is being recorded is complete."""
        with self._changed:
            taken = self._paused_by is None and not self._over
            if taken:
                self._paused_by = by
            self._changed.notify_all()
            return taken

    def resume(self, by: str = OPERATOR) -> bool:
        """Ask a session that rests to go on."""
        with self._changed:
            taken = self._paused_by is not None
            self._paused_by = None
            self._resumed_by = by
            self._changed.notify_all()
            return taken

    def skip(self, by: str = OPERATOR, *, item: int | None = None) -> bool:
        """Ask the session to give up an image, at once, and go on with the next.

        Args:
            by: who asks.
            item: its number; None for the one that is being recorded.
        """
        return self._ask("skip", by, item)

    def respray(self, by: str = OPERATOR, *, item: int | None = None) -> bool:
        """Ask the session to dry and spray the plate anew and begin the image again; the arguments are `skip`'s."""
        return self._ask("respray", by, item)

    def end(self, by: str = OPERATOR) -> bool:
        """Ask the session to end once the clip that is being recorded is complete; `--resume` goes on."""
        with self._changed:
            taken = not self._over
            if taken:
                self._ended_by = by
            self._changed.notify_all()
            return taken

    def emergency_stop(self, by: str = OPERATOR) -> tuple[str, ...]:
        """Stop the stage and shut the sprayer now, and end the session; may be called any number of times.

        Returns:
            The devices that had not obeyed after two seconds, which then go on being told, and a stage that was told
            but cannot say that it stands, as its cable is out: cut their power.
        """
        with self._changed:
            self._halted_by = self._halted_by or by
            devices = self._devices
            self._changed.notify_all()
        opening = _told({"rig": self.stops.stop})  # or it was held a moment ago: it is told both ways
        return opening if devices is None else (*opening, *stop_devices(*devices))

    @property
    def standing(self) -> Standing:
        """How the session stands towards what was asked of it."""
        with self._changed:
            if self._halted_by:
                return "halted"
            if self._ended_by:
                return "stopping"
            if self._paused_by is None:
                return "running"
            return "paused" if self._resting else "pausing"

    @property
    def halted_by(self) -> str | None:
        """Who asked for an emergency stop; None: nobody did."""
        return self._halted_by

    @property
    def ended_by(self) -> str | None:
        """Who asked the session to end; None: nobody did."""
        return self._ended_by

    @property
    def paused_by(self) -> str | None:
        """Who asked the session to pause; None: nobody did, or it was resumed."""
        return self._paused_by

    @property
    def resumed_by(self) -> str | None:
        """Who asked the session to go on last; None: nobody did."""
        return self._resumed_by

    @property
    def item(self) -> int | None:
        """Number of the image that is being recorded; None between images."""
        return self._item

    # What follows is the session's side.

    @contextmanager
    def holding(self, stage: Stage, sprayer: Sprayer) -> Iterator[None]:
        """Let an emergency stop reach these devices meanwhile.

        Raises:
            Halted: if there was one already.
        """
        with self._changed:
            self._devices = (stage, sprayer)
        try:
            self.check_halted()
            yield
        finally:
            with self._changed:
                self._devices = None

    @contextmanager
    def recording(self, item: int) -> Iterator[None]:
        """Take wishes for this image meanwhile."""
        with self._changed:
            self._item = item
        try:
            yield
        finally:
            with self._changed:
                self._item, self._wish = None, None

    def check(self) -> None:
        """Obey what was asked for the image that is being recorded; called between frames.

        Raises:
            Halted, SkipAsked, ResprayAsked: if so.
        """
        self.check_halted()
        with self._changed:
            wish, self._wish = self._wish, None
        if wish is not None:
            raise (SkipAsked if wish.kind == "skip" else ResprayAsked)(f"asked by {wish.by}")

    def check_halted(self) -> None:
        """Make sure that devices may still move.

        Raises:
            Halted: if they may not.
        """
        if self._halted_by:
            raise Halted(f"emergency stop by {self._halted_by}")

    def rest(self, meanwhile: Callable[[], None] = lambda: None, *, every_s: float = 0.2) -> None:
        """Return when the session may go on; called between clips, where nothing moves.

        Args:
            meanwhile: called again and again while the session is paused.
            every_s: how often.

        Raises:
            Halted, Ended: if it may not.
            SkipAsked, ResprayAsked: as `check`.
        """
        try:
            while True:
                self.check()
                with self._changed:
                    if self._ended_by:
                        raise Ended(f"asked by {self._ended_by}")
                    if self._paused_by is None:
                        return
                    self._resting = True
                meanwhile()
                with self._changed:
                    if self._paused_by and not self._over and self._wish is None:
                        self._changed.wait(every_s)
        finally:
            self._resting = False

    def wait(self, duration_s: float) -> None:
        """Wait so many seconds of the machine's clock, or less: an emergency stop or a wish to end cuts it short."""
        with self._changed:
            self._changed.wait_for(lambda: self._over, duration_s)

    @property
    def _over(self) -> bool:
        return self._halted_by is not None or self._ended_by is not None

    def _ask(self, kind: Literal["skip", "respray"], by: str, item: int | None) -> bool:
        with self._changed:
            now = self._item
            if now is None or item not in (None, now) or self._over or self._wish is not None:
                return False
            self._wish = _Wish(kind, now, by)
            self._changed.notify_all()
            return True


def stop_devices(stage: Stage, sprayer: Sprayer) -> tuple[str, ...]:
    """Stop both side by side, so that neither waits for the other; return those not known to have obeyed in time."""
    late = _told({"stage": stage.stop, "sprayer": sprayer.close})
    unsure = "stage" not in late and isinstance(stage, Certain) and not stage.is_at_rest()
    return ("stage", *late) if unsure else late


def _told(ways: Mapping[str, Callable[[], None]]) -> tuple[str, ...]:
    """Call all side by side; return the names of those that have not returned in time."""
    tasks = {name: threading.Thread(target=way, daemon=True, name=f"stop-{name}") for name, way in ways.items()}
    for task in tasks.values():
        task.start()
    end_s = time.monotonic() + _PATIENCE_S
    for task in tasks.values():
        task.join(max(0.0, end_s - time.monotonic()))
    return tuple(name for name, task in tasks.items() if task.is_alive())
