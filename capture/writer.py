"""Writer: clips go to the disk in the background while the rig goes on; what waits is bounded in bytes.

Recording never waits for the encoder within a clip. Between clips it does, where the encoder or the disk is slower than
the rig: `put` returns when there is room again, so nothing is lost and memory is bounded. At most `limit_bytes` wait or
are being encoded, and one clip more is being recorded; a clip that is larger than the limit goes alone.
"""

import math
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Self

from capture.recorder import Recording
from capture.wetness import DryPlate
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

    def __init__(self, archive: Archive, limit_bytes: int, on_stored: Callable[[Stored], None]) -> None:
        """Prepare.

        Args:
            archive: the session.
            limit_bytes: of images that wait.
            on_stored: called from the writer's thread when a clip is noted.
        """
        self._archive, self._limit, self._on_stored = archive, limit_bytes, on_stored
        self._room = threading.Condition()
        self._waiting = 0
        self._failed: BaseException | None = None
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="clip-writer")
        self._pending: list[Future[None]] = []

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Write what waits; where the session has not failed itself, fail as the writing did."""
        self._pool.shutdown()
        if kind is None:
            self._check()

    def put(self, take: Take) -> None:
        """Hand over a take; wait while too much waits.

        Raises:
            ResourceError, DataError: if an earlier one could not be written.
        """
        size = take.size_bytes
        with self._room:
            self._room.wait_for(
                lambda: self._waiting == 0 or self._waiting + size <= self._limit or self._failed is not None
            )
            self._waiting += size
        self._check()
        self._pending = [future for future in self._pending if not future.done()]
        self._pending.append(self._pool.submit(self._store, take, size))

    def drain(self) -> None:
        """Wait until all is written.

        Raises:
            ResourceError, DataError: if something could not be.
        """
        for future in self._pending:
            future.result()
        self._pending = []
        self._check()

    @property
    def waiting_bytes(self) -> int:
        """Images that wait or are being encoded."""
        return self._waiting

    def _check(self) -> None:
        if self._failed is not None:
            raise self._failed

    def _store(self, take: Take, size: int) -> None:
        try:
            if self._failed is None:
                self._on_stored(store(self._archive, take))
        except BaseException as error:
            self._failed = error
            raise
        finally:
            with self._room:
                self._waiting -= size
                self._room.notify_all()


def store(archive: Archive, take: Take) -> Stored:
    """Write a take as a clip and note it.

    Raises:
        ResourceError, DataError: if it cannot be written.
    """
    frames = take.recording.frames
    if take.dry is not None:
        frames = [_with_coverage(frame, take.dry) for frame in frames]
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
