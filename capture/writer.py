"""Writer: clips go to the disk in the background while the rig goes on; what waits is bounded in bytes.

Recording never waits for the encoder within a clip. Between clips it does, where the encoder or the disk is slower than
the rig: `put` returns when there is room again, so nothing is lost and memory is bounded. At most `limit_bytes` wait or
are being encoded, and one clip more is being recorded; a clip that is larger than the limit goes alone.

A slow disk is waited for, one that hangs is not: where no frame of a clip, nor its end, comes to the disk within the
writer's patience, whoever waits is told, and the thread that hangs is left behind. What it held was not noted, so it is
recorded again when the session goes on.
"""

import math
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from capture.hanging import LOOK_S, PATIENCE_S, DiskHangsError, disk_hangs
from capture.recorder import Recording
from capture.wetness import DryPlate
from natadv.errors import DeviceError
from rigs.archive import Archive
from rigs.clip import write_clip
from rigs.frame import DropState, Frame
from rigs.session import Item, Kind

MEBIBYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class Take:
    """A recording that passed its checks.

    Attributes:
        attempt: see ClipRecord; so is `light`.
        dry: what the plate looked like dry, where the rig does not say how wet it is; None: it does.
    """

    item: Item
    kind: Kind
    recording: Recording
    attempt: int
    light: float | None = None
    dry: DryPlate | None = None

    @property
    def size_bytes(self) -> int:
        """Memory that the images take."""
        return sum(math.prod(frame.shape) for frame in self.recording.frames)  # none is rendered for it


@dataclass(frozen=True, slots=True)
class Stored:
    """A clip that is on the disk and noted; `coverage` and `measured` are as in ClipRecord."""

    take: Take
    frames: int
    stored_bytes: int
    coverage: float | None
    measured: bool


class Writer:
    """Writes takes to an archive in order, as a context manager that ends when all are written."""

    def __init__(
        self,
        archive: Archive,
        limit_bytes: int,
        on_stored: Callable[[Stored], None],
        *,
        patience_s: float = PATIENCE_S,
    ) -> None:
        """Prepare.

        Args:
            archive: the session.
            limit_bytes: of images that wait.
            on_stored: called from the writer's thread when a clip is noted.
            patience_s: a disk that does nothing with what it is given for so long hangs.
        """
        self._archive, self._limit, self._on_stored = archive, limit_bytes, on_stored
        self._patience_s = patience_s
        self._changed = threading.Condition()
        self._queue: deque[tuple[Take, int]] = deque()  # the first is being written
        self._waiting = 0
        self._steps = 0  # of the writing; while they grow, the disk answers
        self._ending = False
        self._failed: BaseException | None = None
        # It must not keep the program from ending where it hangs, as a pool's threads would.
        self._thread = threading.Thread(target=self._write_on, daemon=True, name="clip-writer")

    def __enter__(self) -> Self:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Write what waits; where the session has not failed itself, fail as the writing did.

        Raises:
            DiskHangsError: if the disk hangs, also where a device failed: another life of the session would meet the
                thread of this one.
        """
        with self._changed:
            self._ending = True
            self._changed.notify_all()
        try:
            self._await(lambda: not self._queue)
        except DiskHangsError:
            if kind is None or issubclass(kind, DeviceError):
                raise
        except BaseException:
            if kind is None:
                raise

    def put(self, take: Take) -> None:
        """Hand over a take; wait while too much waits.

        Raises:
            ResourceError, DataError: if an earlier one could not be written, or the disk hangs.
        """
        size = take.size_bytes
        self._await(lambda: self._waiting == 0 or self._waiting + size <= self._limit)
        with self._changed:
            self._waiting += size
            self._queue.append((take, size))
            self._changed.notify_all()

    def drain(self) -> None:
        """Wait until all is written.

        Raises:
            ResourceError, DataError: if something could not be, or the disk hangs.
        """
        self._await(lambda: not self._queue)

    @property
    def waiting_bytes(self) -> int:
        """Images that wait or are being encoded."""
        return self._waiting

    def _await(self, done: Callable[[], bool]) -> None:
        with self._changed:
            steps, looks = self._steps, 0
            while self._failed is None and not done():
                if self._steps != steps:
                    steps, looks = self._steps, 0
                elif looks * LOOK_S >= self._patience_s:
                    self._failed = disk_hangs(self._archive.folder, self._patience_s)
                    break
                self._changed.wait(LOOK_S)
                looks += 1
            if self._failed is not None:
                raise self._failed

    def _write_on(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue or self._ending)
                if not self._queue:
                    return
            try:
                if self._failed is None:
                    self._on_stored(store(self._archive, self._queue[0][0], self._step))
            except BaseException as error:  # noqa: BLE001  # it is raised in the session's thread
                self._failed = self._failed or error
            with self._changed:
                self._waiting -= self._queue.popleft()[1]
                self._step()
                self._changed.notify_all()

    def _step(self) -> None:
        self._steps += 1


class _Watched(Sequence[Frame]):
    """Frames, and a call for each that is asked for."""

    def __init__(self, frames: Sequence[Frame], step: Callable[[], None]) -> None:
        self._frames, self._step = frames, step

    def __len__(self) -> int:
        return len(self._frames)

    def __getitem__(self, place: Any) -> Any:
        self._step()
        return self._frames[place]


def store(archive: Archive, take: Take, step: Callable[[], None] = lambda: None) -> Stored:
    """Write a take as a clip and note it; `step` is called again and again while it gets on.

    Raises:
        ResourceError, DataError: if it cannot be written.
    """
    frames: Sequence[Frame] = _Watched(take.recording.frames, step)
    if take.dry is not None:
        frames = _Watched([_with_coverage(frame, take.dry) for frame in frames], step)
    clip = write_clip(archive.clip_folder(take.item, take.kind), frames, archive.settings.fps)
    coverages = [frame.drops.coverage for frame in frames if frame.drops is not None]
    coverage = sum(coverages) / len(coverages) if coverages else None
    measured = take.dry is not None and coverage is not None
    archive.add(
        take.item,
        take.kind,
        clip,
        take.recording.lost,
        attempt=take.attempt,
        coverage=coverage,
        measured=measured,
        light=take.light,
    )
    size = sum(path.stat().st_size for path in clip.folder.iterdir())
    return Stored(take, len(frames), size, coverage, measured)


def _with_coverage(frame: Frame, dry: DryPlate) -> Frame:
    coverage = dry.coverage(frame.image)
    return frame if coverage is None else replace(frame, drops=DropState(None, coverage))
