"""Ring: a live source's last seconds of frames, kept in memory for when something happens."""

import threading

from rigs.frame import Frame


class Ring:
    """The frames of the last seconds, within a bound of memory.

    Frames are kept as they came, not copied. Where they would take too much memory every other one is let go, and of
    those that follow too, until they fit again: a clip with gaps rather than a shorter one.
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
        self._bytes = 0
        self._stride, self._count = 1, 0
        self._held_from_s: float | None = None
        self._lock = threading.Lock()

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
            while self._bytes > self._max_bytes and len(self._frames) > 1:
                self._frames = self._frames[::-2][::-1]  # the newest stays
                self._bytes = sum(one.image.nbytes for one in self._frames)
                self._stride *= 2
            if self._stride > 1 and self._held_from_s is None and self._bytes < self._max_bytes // 4:
                self._stride //= 2

    def hold(self, from_s: float) -> None:
        """Let no frame go that was taken at or after a time, until `release`; the bound of memory stays."""
        with self._lock:
            self._held_from_s = from_s

    def release(self, from_s: float, until_s: float) -> list[Frame]:
        """Return the frames taken from one time to another, both included, and hold none any longer."""
        with self._lock:
            self._held_from_s = None
            return [frame for frame in self._frames if from_s <= frame.timestamp_s <= until_s]

    def _let_old_go(self, now_s: float) -> None:
        oldest_s = now_s - self._seconds
        if self._held_from_s is not None:
            oldest_s = min(oldest_s, self._held_from_s)
        old = next(place for place, one in enumerate(self._frames) if one.timestamp_s >= oldest_s)
        if old:
            self._bytes -= sum(one.image.nbytes for one in self._frames[:old])
            del self._frames[:old]

    def _forget(self) -> None:
        self._frames, self._bytes, self._held_from_s = [], 0, None
