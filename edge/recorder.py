"""Recorder: keeps the seconds around an alarm as evidence, while the run goes on."""

import queue
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from edge.events import Event, EventLog
from edge.evidence import AlarmInfo, Answer, EvidenceStore
from edge.ring import Ring
from edge.sinks import Observation
from edge.supply import Taken
from natadv.errors import NatadvError
from rigs.frame import Frame
from rigs.geometry import ScreenGeometry

_MOST_ANSWERS: Final = 100_000
_WRITING_S: Final = 60.0  # that a clip in work may take when the run ends


@dataclass(frozen=True, slots=True)
class EvidenceRule:
    """What of an alarm is kept, in seconds.

    Attributes:
        before_s: before it began.
        after_s: after it ended.
        longest_s: of a clip; an alarm that goes on is cut there.
        rest_s: from the end of one clip to the beginning of the next alarm that is kept.
        memory_bytes: that frames may take, those too of clips that are still being written; beyond that every other one
            is let go.
    """

    before_s: float = 5.0
    after_s: float = 5.0
    longest_s: float = 20.0
    rest_s: float = 30.0
    memory_bytes: int = 512 << 20


@dataclass(slots=True)
class _Case:
    """An alarm that is being recorded: its clip goes from one time to another, by the frames' clock."""

    info: AlarmInfo
    size: tuple[int, ...]
    begin_s: float
    end_s: float
    last_s: float


class Recorder:
    """A sink that watches for alarms, and the tap that frames pass on their way.

    Attributes:
        kept: clips that were written.
    """

    def __init__(
        self,
        store: EvidenceStore,
        events: EventLog,
        rule: EvidenceRule,
        *,
        source: str,
    ) -> None:
        """Begin to write in a thread of its own.

        Args:
            store: where clips are kept.
            events: told of every clip that was kept, and of every one that could not be.
            rule: what of an alarm is kept.
            source: what the run looks at, in words.
        """
        self.kept = 0
        self._store, self._events, self._rule, self._source = store, events, rule, source
        self._ring = Ring(rule.before_s, rule.memory_bytes)
        self._geometry: ScreenGeometry | None = None
        self._answers: deque[Answer] = deque(maxlen=_MOST_ANSWERS)
        self._model_sha256 = ""  # of the model that gave them
        self._case: _Case | None = None
        self._rests_until_s = float("-inf")
        self._work: queue.Queue[tuple[_Case, list[Frame], list[Answer], ScreenGeometry] | None] = queue.Queue(1)
        self._closed = False
        self._writer = threading.Thread(target=self._write_all, name="evidence", daemon=True)
        self._writer.start()

    def saw(self, taken: Taken) -> None:
        """Take a frame, in the thread that reads them, whether or not the model will look at it."""
        self._geometry = taken.source.geometry(taken.shot.frame.image.shape[:2])
        self._ring.add(taken.shot.frame)

    def write(self, observation: Observation) -> None:
        """Watch for an alarm, and for the end of what is kept of it."""
        frame, prediction, rule = observation.shot.frame, observation.prediction, self._rule
        now_s = frame.timestamp_s
        if observation.model_sha256 != self._model_sha256:  # a clip is of one model's answers
            if self._case is not None:
                self._finish(self._case.last_s)
            self._answers.clear()
            self._model_sha256 = observation.model_sha256
        if self._answers and now_s < self._answers[-1].timestamp_s:  # another clock: the source was opened anew
            self._answers.clear()
            self._rests_until_s = float("-inf")
        self._answers.append(
            Answer(
                index=frame.index,
                timestamp_s=now_s,
                label=prediction.label,
                confidence=prediction.confidence,
                truth=observation.shot.label,
            )
        )
        case = self._case
        if case is None:
            while self._answers[0].timestamp_s < now_s - rule.before_s:
                self._answers.popleft()
            # An alarm goes on over a swap; without a sign it is the model's before.
            if observation.alarm and observation.signs and now_s >= self._rests_until_s:
                self._begin(observation)
            return
        if frame.image.shape != case.size:  # a clip is of frames of one size
            self._finish(case.last_s)
            return
        case.last_s = now_s
        if observation.alarm:
            case.end_s = min(now_s + rule.after_s, case.begin_s + rule.longest_s)
        if now_s >= case.end_s:
            self._finish(now_s)

    def note(self, event: Event) -> None:
        """Keep what there is when the signal is lost."""
        if event.kind == "no-signal" and self._case is not None:
            self._finish(self._case.last_s)

    def close(self) -> None:
        """Keep what there is of an alarm that is on, and wait until it is written, but not for ever.

        May be called twice.
        """
        if self._closed:
            return
        self._closed = True
        if self._case is not None:
            self._finish(self._case.last_s)
        end_s = time.monotonic() + _WRITING_S
        with suppress(queue.Full):
            self._work.put(None, timeout=_WRITING_S)
        self._writer.join(max(0.0, end_s - time.monotonic()))
        if self._writer.is_alive():
            self._events.add("evidence-lost", f"a clip is not yet written after {_WRITING_S:g} s; the disk is too slow")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _begin(self, observation: Observation) -> None:
        frame, rule = observation.shot.frame, self._rule
        begin_s = frame.timestamp_s - rule.before_s
        self._ring.hold(begin_s)
        info = AlarmInfo(
            at=observation.at,
            signs=observation.signs,
            said=observation.prediction.label,
            source=self._source,
            model_sha256=observation.model_sha256,
            labels=observation.labels,
        )
        end_s = min(frame.timestamp_s + rule.after_s, begin_s + rule.longest_s)
        self._case = _Case(info, frame.image.shape, begin_s, end_s, frame.timestamp_s)

    def _finish(self, end_s: float) -> None:
        """Hand a clip to the writer; one that comes while the last is still being written is let go, and said."""
        case, self._case = self._case, None
        if case is None or self._geometry is None:
            return
        self._rests_until_s = end_s + self._rule.rest_s
        frames = self._ring.take(case.begin_s, end_s, case.size)
        answers = [answer for answer in self._answers if case.begin_s <= answer.timestamp_s <= end_s]
        if not frames:
            return
        try:
            self._work.put_nowait((case, frames, answers, self._geometry))
        except queue.Full:
            self._ring.give_back(frames)
            self._events.add("evidence-lost", "the clips before are still being written; the disk is too slow")

    def _write_all(self) -> None:
        while self._write_next():
            pass

    def _write_next(self) -> bool:
        """Write one clip; return whether there may be more. Its frames are held here no longer than that."""
        work = self._work.get()
        if work is None:
            return False
        case, frames, answers, geometry = work
        try:
            clip = self._store.write(frames, answers, case.info, geometry=geometry)
            self.kept += 1
            self._events.add("evidence", f"{clip.archive.folder}: {len(frames)} frames")
        except NatadvError as error:
            self._events.add("evidence-lost", str(error))
        except Exception as error:  # noqa: BLE001  # the next alarm's clip may go well, and the run does in any case
            self._events.add("evidence-lost", f"unexpected: {type(error).__name__}: {error}")
        finally:
            self._ring.give_back(frames)
            self._work.task_done()
        return True
