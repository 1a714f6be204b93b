"""Supply: a source kept open in a thread of its own, its newest frame in a mailbox.

A live source that fails, ends, or gives nothing but dead or old frames is closed and opened again, sooner at first and
later seldom; meanwhile there is no signal, and nothing is put in the mailbox. A reader that does not come back out of a
driver can be left behind there, and another one goes on.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.mailbox import Mailbox
from edge.reception import DeadFrames, Reception
from edge.source import Shot, Source
from natadv.errors import ConfigError, ConnectError, DataError, DeviceError, FrameTimeoutError, NatadvError
from rigs.frame import Frame

Opener = Callable[[], AbstractContextManager[Source]]
Preparer = Callable[[Shot, Source], NDArray[np.uint8]]

_FIRST_WAIT_S: Final = 0.25
_LONGEST_WAIT_S: Final = 8.0  # a camera that boots is seen again within this
# A source of 30 a second whose sensor gives 25 repeats one in six: that is no outage. So long, or so many in a row, is.
_DEAD_S: Final = 0.5
_DEAD: Final = 15
_MOST_DEAD: Final = 30  # frames in a row, after which the camera is opened anew


@dataclass(frozen=True, slots=True, eq=False)
class Taken:
    """A shot with the source that it came from, which knows its clock and what part of it to look at.

    Attributes:
        arrived_s: when the reader had it, by the source's clock.
        frames: uint8 (1, h, w, 3), what the model takes of it, if the reader had the time to make it.
        prepared_s: how long that took.
    """

    shot: Shot
    source: Source
    arrived_s: float
    frames: NDArray[np.uint8] | None = None
    prepared_s: float = 0.0


class Supply(threading.Thread):
    """Reads a source into a mailbox, and hands its error on to whoever takes.

    Attributes:
        lost: frames missing in the camera's count so far.
        dead: frames that were of one colour, repeated, or too old, and were not handed on.
        live: whether the source is; False before it was opened.
        opened: how often the source was opened.
        opened_s: monotonic time when it was opened last; 0 before.
        opened_in_s: how long that took at the longest.
        failed: what the source raised, if nobody could be told of it any more; of a camera that had given frames, that
            it is away is no news then.
    """

    def __init__(
        self,
        opener: Opener,
        mailbox: Mailbox[Taken],
        reception: Reception,
        stop: threading.Event,
        *,
        check: Callable[[Sequence[str]], None],
        every: bool,
        age_s: float,
        tap: Callable[[Taken], None] | None = None,
        prepare: Preparer | None = None,
    ) -> None:
        """Name what to read; `start` begins.

        Args:
            opener: opens the source, each time anew.
            mailbox: gets the frames; closed at the end.
            reception: told of every frame and every failure.
            stop: ends it.
            check: given a source's labels when it was opened; raises ConfigError if they are of no use.
            every: wait until each frame is taken.
            age_s: a live source's frame that is older when it comes is a dead one.
            tap: sees every good frame before it is put, in this thread.
            prepare: makes what the model takes of a shot; asked in this thread, while the model works on the one
                before, unless the shot's turn is not sure to come.
        """
        super().__init__(name="reader", daemon=True)
        self.lost = self.dead = self.opened = 0
        self.opened_s = self.opened_in_s = 0.0
        self.failed: NatadvError | None = None
        self._opener, self._mailbox, self._reception, self._stop_asked = opener, mailbox, reception, stop
        self._check, self._every, self._age_s, self._tap, self._prepare = check, every, age_s, tap, prepare
        self._next_index = 0
        self._frames = (
            DeadFrames()
        )  # one for all openings: a camera that hangs gives its last frame to whoever asks anew
        self.live = False
        self._problem = "the camera's frames ended"
        self._inside_since_s: float | None = None
        self._is_open = False
        self._retired = False
        self._hold = threading.Lock()

    @property
    def inside_s(self) -> float:
        """Seconds since the reader last went into the source, to open, read or close it; 0 while it is outside."""
        since_s = self._inside_since_s
        return 0.0 if since_s is None else time.monotonic() - since_s

    def retire(self) -> "Supply":
        """Let it hand on nothing more, and return another that goes on with its counts, yet to be started.

        It closes what it opened when it comes back out of it.
        """
        with self._hold:
            self._retired = True
        other = Supply(
            self._opener,
            self._mailbox,
            self._reception,
            self._stop_asked,
            check=self._check,
            every=self._every,
            age_s=self._age_s,
            tap=self._tap,
            prepare=self._prepare,
        )
        other.lost, other.dead, other.opened = self.lost, self.dead, self.opened
        other.opened_s, other.opened_in_s = self.opened_s, self.opened_in_s
        other.live, other._next_index, other._frames = self.live, self._next_index, self._frames
        return other

    def run(self) -> None:
        """Read until the source ends, nobody takes any more, or `stop`."""
        error: BaseException | None = None
        try:
            self._keep_reading()
        except BaseException as raised:  # noqa: BLE001  # it is raised in the other thread
            error = raised
        with self._hold:  # between this question and the closing nobody retires it
            if self._retired:
                return
            if self._stop_asked.is_set() and isinstance(error, NatadvError):
                error = self.failed = None if self._is_away(error) else error
            self._mailbox.close(error)

    def _is_away(self, error: NatadvError) -> bool:
        """Whether an error says no more than an outage: a camera that cannot be opened again, or gives no frame."""
        again = self.live and self._reception.begun
        return again and (not self._is_open or isinstance(error, (ConnectError, FrameTimeoutError)))

    def _keep_reading(self) -> None:
        wait_s = _FIRST_WAIT_S
        while not self._stop_asked.is_set() and not self._retired:
            before = self._reception.last_frame_s
            try:
                reason = self._read_once()
                if reason is None or self._retired:
                    return
                if not self._reception.begun:
                    raise FrameTimeoutError(f"{reason}; look at it, or at the source's name")
            except (DeviceError, DataError, ConfigError) as error:
                # Before the first frame it is a wrong name or a missing camera: an error, not an outage.
                if not self._reception.begun or self._stop_asked.is_set() or not self.live or self._retired:
                    raise
                reason = str(error)
            finally:
                self._inside_since_s = None
            self._reception.lost(reason)
            wait_s = _FIRST_WAIT_S if self._reception.last_frame_s != before else min(2 * wait_s, _LONGEST_WAIT_S)
            self._stop_asked.wait(wait_s)

    def _read_once(self) -> str | None:
        """Open the source and read it to its end; return why a live one has to be opened again, None for no more."""
        begin_s = self._inside_since_s = time.monotonic()
        self._is_open = False
        with self._opener() as source:
            if self._retired:
                return None
            self._is_open = True
            self._inside_since_s = None
            self.opened_s = time.monotonic()
            self.opened_in_s = max(self.opened_in_s, self.opened_s - begin_s)
            self.opened += 1
            self.live = source.live
            self._check(source.labels)
            with closing(source.shots(self._stop_asked)) as shots:
                for taken in self._good(source, shots):
                    put = self._mailbox.put(self._prepared(taken), wait=self._every)
                    self._inside_since_s = time.monotonic()
                    if not put:
                        return None
            if not source.live or self._stop_asked.is_set():
                return None
        return self._problem

    def _prepared(self, taken: Taken) -> Taken:
        """Make what the model takes of a shot; but not where a model that is behind may never ask for it."""
        if self._prepare is None or (self._mailbox.full and not self._every):
            return taken
        begin_s = time.monotonic()
        frames = self._prepare(taken.shot, taken.source)
        return replace(taken, frames=frames, prepared_s=time.monotonic() - begin_s)

    def _good(self, source: Source, shots: Iterator[Shot]) -> Iterator[Taken]:
        """Yield a source's frames but the dead ones; the count goes on where the last opening's ended."""
        in_a_row, dead_since_s, self._problem = 0, 0.0, "the camera's frames ended"
        self._inside_since_s = time.monotonic()
        offset: int | None = None
        last = 0
        for shot in shots:
            if self._retired:
                return
            self._inside_since_s = time.monotonic()
            frame, arrived_s = shot.frame, source.now_s()
            if offset is None:
                # An index is left out, since nobody knows what was missed while it was closed.
                offset = self._next_index - frame.index + (1 if self._next_index else 0)
            else:
                self.lost += frame.index - last - 1
            last = frame.index
            self._next_index = frame.index + offset + 1
            problem = self._problem_of(frame, arrived_s) if source.live else None
            if problem is not None:
                now_s = time.monotonic()
                dead_since_s = dead_since_s if in_a_row else now_s
                self.dead += 1
                in_a_row += 1
                if in_a_row >= _DEAD or now_s - dead_since_s >= _DEAD_S:
                    self._reception.lost(problem)
                if in_a_row >= _MOST_DEAD:
                    self._problem = problem
                    return
                continue
            in_a_row = 0
            self._inside_since_s = None  # what follows is our own work, or waiting for the model
            self._reception.good()
            taken = Taken(shot.numbered(frame.index + offset), source, arrived_s)
            if self._tap is not None:
                self._tap(taken)
            yield taken

    def _problem_of(self, frame: Frame, arrived_s: float) -> str | None:
        """Say why a live source's frame is not to be looked at; None: it is."""
        problem = self._frames.problem(frame.image)  # of an old one too: it is what the next is compared with
        age_s = arrived_s - frame.timestamp_s
        if problem is None and age_s > self._age_s:
            return (
                f"the camera's frames are {age_s:.0f} s old when they come; decoding them is too slow, or the network"
            )
        return problem
