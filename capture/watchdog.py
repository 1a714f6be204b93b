"""Watchdog: a device that does not answer must not hold up the night, nor leave the plate moving or the valve open.

A call that takes longer than its device's limit trips the guard: the stage is stopped, the sprayer shut and the device
closed, each from a thread of its own, which makes most drivers' calls return with an error; the rig is then opened
again. A call that does not return even so cannot be ended from within the process: `on_stuck` is called, once, and
decides.
"""

import threading
import time
from collections.abc import Callable
from typing import Self

from pydantic import PositiveFloat

from capture.control import stop_devices
from capture.events import Device
from capture.guard import Call, Guard
from rigs.rig import Rig, RigSettings
from rigs.settings import Settings


class Limits(Settings):
    """How long a call of a device may take, seconds of the machine's clock; None: as long as it likes.

    Attributes:
        sprayer_s: drying and spraying included.
        open_s: opening the whole rig, homing included; and closing it.
        grace_s: after a device was closed because of it, until it counts as stuck for good.
    """

    camera_s: PositiveFloat | None = 30.0
    screen_s: PositiveFloat | None = 30.0
    stage_s: PositiveFloat | None = 30.0
    sprayer_s: PositiveFloat | None = 300.0
    open_s: PositiveFloat | None = 180.0
    grace_s: PositiveFloat = 30.0

    def of_rig(self, rig: RigSettings) -> "Limits":
        """Return these without those of calls in which a person works, who takes as long as it takes."""
        asking = {"stage_s": rig.stage.asks, "sprayer_s": rig.sprayer.asks, "open_s": rig.stage.asks_to_open}
        return self.model_copy(update={name: None for name, asks in asking.items() if asks})

    def of(self, device: Device) -> float | None:
        """Return the limit of a device."""
        limits = {"camera": self.camera_s, "screen": self.screen_s, "stage": self.stage_s, "sprayer": self.sprayer_s}
        return limits.get(device)


class Watchdog:
    """Looks after the calls of a guard in a thread of its own, as a context manager."""

    def __init__(
        self,
        guard: Guard,
        rig: Rig,
        limits: Limits,
        *,
        on_stuck: Callable[[str], None],
        every_s: float = 0.25,
    ) -> None:
        """Prepare.

        Args:
            guard: the session's.
            rig: its devices, not under guard.
            limits: how long calls may take.
            on_stuck: called from the watchdog's thread with the reason, where nothing helps any more.
            every_s: how often it looks.
        """
        self._guard, self._rig, self._limits, self._on_stuck = guard, rig, limits, on_stuck
        self._every_s = every_s
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look_after, daemon=True, name="watchdog")

    def __enter__(self) -> Self:
        """Begin to look."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop looking."""
        self._done.set()
        self._thread.join()

    def _look_after(self) -> None:
        tripped: Call | None = None
        told = False
        while not self._done.wait(self._every_s):
            call = self._guard.running
            limit_s = None if call is None else self._limits.of(call.device)
            if call is None or limit_s is None:
                continue
            lasted_s = time.monotonic() - call.since_s
            if call is not tripped and lasted_s > limit_s:
                tripped = call
                self._trip(call, lasted_s)
            elif call is tripped and lasted_s > limit_s + self._limits.grace_s and not told:
                told = True
                self._on_stuck(f"{call.device}: no answer for {lasted_s:.0f} s, not even when it was closed")

    def _trip(self, call: Call, lasted_s: float) -> None:
        self._guard.trip(f"{call.device}: no answer for {lasted_s:.0f} s; look at it and its cable")
        stop_devices(self._rig.stage, self._rig.sprayer)
        close = getattr(self._rig, call.device).close
        threading.Thread(target=close, daemon=True, name=f"close-{call.device}").start()
