"""Ring: a live source's last seconds of frames, kept in memory for when something happens."""

import threading
from collections.abc import Sequence

from rigs.frame import Frame


class Ring:
    """The frames of the last seconds, within a bound of memory.

    Frames are kept as they came, not copied. Where they would take too much memory every other one is let go, and of
    those that follow too, until they fit again: a clip with gaps rather than a shorter one. What was taken out counts
    too until it is given back: meanwhile fewer are kept, though always the newest.
    """

    def __init__(self, seconds: float, max_bytes: int) -> None:
        """Begin with none.

        Raises:
            ValueError: if either is not positive.
        """
        if seconds <= 0 or max_bytes <= 0:
            raise ValueError(f"expected a positive time and memory, got {seconds} s and {max_bytes} bytes")
        self._seconds, self._max_bytes = seconds, max_bytes
        self._frames: list[Frame] = []
        self._bytes = self._lent_bytes = 0
        self._stride, self._count = 1, 0
        self._held_from_s: float | None = None
        self._lock = threading.Lock()

    @property
    def frames(self) -> list[Frame]:
        """Those that are kept now, in order."""
        with self._lock:
            return list(self._frames)

    def add(self, frame: Frame) -> None:
        """Take a frame, from the thread that reads them."""
        with self._lock:
            if self._frames and frame.timestamp_s < self._frames[-1].timestamp_s:
                self._forget()  # another clock: the source was opened anew
            self._count += 1
            if self._count % self._stride:
                return
            self._frames.append(frame)
            self._bytes += frame.image.nbytes
            self._let_old_go(frame.timestamp_s)
            room = self._max_bytes - self._lent_bytes
            while self._bytes > room and len(self._frames) > 1:
                self._frames = self._frames[::-2][::-1]  # the newest stays
                self._bytes = _bytes(self._frames)
                self._stride *= 2
            if self._stride > 1 and self._held_from_s is None and self._bytes < room // 4:
                self._stride //= 2

    def hold(self, from_s: float) -> None:
        """Let no frame go that was taken at or after a time, until `take`; the bound of memory stays."""
        with self._lock:
            self._held_from_s = from_s

    def take(self, from_s: float, until_s: float, size: tuple[int, ...]) -> list[Frame]:
        """Take out the frames of one size from one time to another, both included, and hold none any longer.

        They count as memory until `give_back`. Frames before the later time are gone then; a frame is taken once.
        """
        with self._lock:
            self._held_from_s = None
            old = [frame for frame in self._frames if frame.timestamp_s <= until_s]
            self._frames = self._frames[len(old) :]
            taken = [frame for frame in old if frame.timestamp_s >= from_s and frame.image.shape == size]
            self._bytes -= _bytes(old)
            self._lent_bytes += _bytes(taken)
        return taken

    def give_back(self, taken: Sequence[Frame]) -> None:
        """Say that frames which were taken need no memory any more."""
        with self._lock:
            self._lent_bytes -= _bytes(taken)
            self._stride = 1  # it grew while there was little room

    def _let_old_go(self, now_s: float) -> None:
        oldest_s = now_s - self._seconds
        if self._held_from_s is not None:
            oldest_s = min(oldest_s, self._held_from_s)
        old = next(place for place, one in enumerate(self._frames) if one.timestamp_s >= oldest_s)
        if old:
            self._bytes -= _bytes(self._frames[:old])
            del self._frames[:old]

    def _forget(self) -> None:
        self._frames, self._bytes, self._held_from_s = [], 0, None


def _bytes(frames: Sequence[Frame]) -> int:
    return sum(frame.image.nbytes for frame in frames)
