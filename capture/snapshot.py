"""Snapshot: how a session stands, folded from its events alone, so that page and terminal, here or there, agree."""

import threading
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from capture.events import (
    Began,
    Coverage,
    DeviceBack,
    DeviceLost,
    Disk,
    Doing,
    Event,
    Hits,
    Paused,
    Recorded,
    Reshot,
    Resumed,
    Skipped,
    Stopped,
)

_LINES: Final = 200
_PACE: Final = 20  # images, of which the rate is


@dataclass(frozen=True, slots=True)
class ModelHits:
    """What one model made of the images that it has seen so far.

    Attributes:
        images: with their control right, so that they count.
        fooled: of them with a hit.
        hits: frames.
        controls_wrong: images that do not count.
    """

    images: int = 0
    fooled: int = 0
    hits: int = 0
    controls_wrong: int = 0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """How a session stands.

    Attributes:
        images: in the session; 0 before the first event.
        done: complete.
        skipped: given up.
        reshoots: so far, in all processes that recorded the session.
        now: the image that was turned to last, and which of its clips; None where none is being recorded.
        paused_by: None: it is not paused.
        device_lost: the event, while a device is lost.
        device_losses: so far.
        images_per_hour: of the last images of this process; None before the second.
        left_s: until all are recorded, at that rate.
        hits: by model.
        disk: the last forecast.
        coverage: of the stage's travel, when the session stopped last; None before.
        stopped: how it ended; None while it records, or was killed.
        pid: of the process that records, or did.
        at: moment of the last event.
        events: the last ones, oldest first.
    """

    images: int = 0
    done: int = 0
    skipped: int = 0
    reshoots: int = 0
    now: Doing | None = None
    paused_by: str | None = None
    device_lost: DeviceLost | None = None
    device_losses: int = 0
    images_per_hour: float | None = None
    left_s: float | None = None
    hits: dict[str, ModelHits] = field(default_factory=dict)
    disk: Disk | None = None
    coverage: Coverage | None = None
    stopped: Stopped | None = None
    pid: int | None = None
    at: datetime | None = None
    events: tuple[Event, ...] = ()

    @property
    def left(self) -> int:
        """Images that are still to be recorded."""
        return max(0, self.images - self.done - self.skipped)

    @property
    def log(self) -> tuple[str, ...]:
        """The last events in words, each with its time of day in UTC, oldest first."""
        return tuple(f"{event.at.astimezone(UTC):%H:%M:%S} {event.text}" for event in self.events)


class Telling:
    """Folds events into a snapshot, one at a time; any thread may."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._images = self._done = self._skipped = self._reshoots = self._losses = 0
        self._now: Doing | None = None
        self._paused: Paused | None = None
        self._lost: DeviceLost | None = None
        self._hits: dict[str, dict[int, Hits]] = {}
        self._disk: Disk | None = None
        self._coverage: Coverage | None = None
        self._stopped: Stopped | None = None
        self._whole: set[int] = set()
        self._pid: int | None = None
        self._at: datetime | None = None
        self._pace: deque[datetime] = deque(maxlen=_PACE + 1)
        self._events: deque[Event] = deque(maxlen=_LINES)

    def take(self, event: Event) -> None:
        """Take the next event."""
        with self._lock:
            self._fold(event)
            if not isinstance(event, Doing):
                self._events.append(event)
            self._at = event.at

    def snapshot(self) -> Snapshot:
        """Return how things stand."""
        with self._lock:
            rate = self._images_per_hour()
            left = max(0, self._images - self._done - self._skipped)
            return Snapshot(
                images=self._images,
                done=self._done,
                skipped=self._skipped,
                reshoots=self._reshoots,
                now=self._now,
                paused_by=self._paused.by if self._paused else None,
                device_lost=self._lost,
                device_losses=self._losses,
                images_per_hour=rate,
                left_s=3600 * left / rate if rate else None,
                hits={model: _sum(found.values()) for model, found in self._hits.items()},
                disk=self._disk,
                coverage=self._coverage,
                stopped=self._stopped,
                pid=self._pid,
                at=self._at,
                events=tuple(self._events),
            )

    def _fold(self, event: Event) -> None:
        match event:
            case Began():
                self._images, self._done, self._skipped = event.images, event.done, event.skipped
                self._pid = event.pid
                self._now = self._paused = self._lost = self._stopped = None
                self._pace.clear()
                self._pace.append(event.at)
            case Doing():
                self._now = event
            case Recorded(complete=True):
                self._done += 1
                self._whole.add(event.item)
                self._pace.append(event.at)
            case Reshot():
                self._reshoots += 1
                self._forget(event.item)
            case Skipped():
                self._skipped += 1
                self._now = None
                self._forget(event.item)
            case Hits():
                self._hits.setdefault(event.model, {})[event.item] = event
            case DeviceLost():
                self._lost, self._now = event, None
                self._losses += 1
            case DeviceBack():
                self._lost = None
            case Paused():
                self._paused = event
            case Resumed():
                self._paused = None
                self._pace.clear()  # a pause is no pace
                self._pace.append(event.at)
            case Disk() | Coverage():
                self._keep(event)
            case Stopped():
                self._stopped, self._now, self._paused = event, None, None

    def _keep(self, event: Disk | Coverage) -> None:
        if isinstance(event, Disk):
            self._disk = event
        else:
            self._coverage = event

    def _forget(self, item: int) -> None:
        """Count no hits of what does not count itself any more."""
        self._done -= item in self._whole
        self._whole.discard(item)
        for found in self._hits.values():
            found.pop(item, None)

    def _images_per_hour(self) -> float | None:
        if len(self._pace) < 2:
            return None
        seconds = (self._pace[-1] - self._pace[0]).total_seconds()
        return 3600 * (len(self._pace) - 1) / seconds if seconds > 0 else None


def _sum(found: Collection[Hits]) -> ModelHits:
    counted = [event for event in found if event.control_right]
    return ModelHits(
        images=len(counted),
        fooled=sum(event.hits > 0 for event in counted),
        hits=sum(event.hits for event in counted),
        controls_wrong=sum(not event.control_right for event in found),
    )
