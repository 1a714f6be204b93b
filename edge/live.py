"""The live loop: newest frame → prediction → sinks.

A thread of its own reads the source and always holds its newest frame, so that a slow model skips frames instead
of falling behind: what is published is as fresh as one prediction allows, however long it runs.
"""

import queue
import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import Final, Protocol

from edge.mailbox import Mailbox
from edge.prediction import Prediction
from edge.sinks import Observation, Sink
from edge.source import Shot, Source
from edge.summary import Summary
from natadv.errors import ConfigError, FrameTimeoutError, NatadvError
from natadv.images import Image

_POLL_S: Final = 0.1  # how soon `stop` and the end of the time are noticed while no frame comes
_RATE_OVER: Final = 30  # predictions that the running rate is taken over


class Predictor(Protocol):
    """What the loop needs of a classifier."""

    @property
    def labels(self) -> tuple[str, ...]:
        """All that it may say."""
        ...

    @property
    def input_size(self) -> tuple[int, int]:
        """(height, width) that it works at."""
        ...

    def predict(self, images: Sequence[Image]) -> list[Prediction]:
        """Return a prediction for each image."""
        ...


def run(
    source: Source,
    classifier: Predictor,
    sinks: Sequence[Sink],
    *,
    stop: threading.Event,
    seconds: float | None = None,
    every: bool = False,
    frame_timeout_s: float = 10.0,
) -> Summary:
    """Predict a source's newest frames until it ends, `stop` is set, the time is over, or nobody listens.

    Args:
        source: read in a thread of its own.
        classifier: used in this thread.
        sinks: each gets every observation, in this thread.
        stop: set by a signal's handler, say; set by this function when it returns.
        seconds: how long to run; None for without end.
        every: let the reader wait, so that no frame is skipped: for recordings, not for cameras.
        frame_timeout_s: longest wait for a frame.

    Raises:
        ConfigError: if the source has a label that the classifier lacks.
        FrameTimeoutError: if no frame comes.
        NatadvError: whatever the source, the classifier or a sink raises.
    """
    unknown = [label for label in source.labels if label not in classifier.labels]
    if unknown:
        raise ConfigError(f"label {unknown[0]!r} of the source is not among the model's {len(classifier.labels)}")
    mailbox: Mailbox[Shot] = Mailbox()
    reader = _Reader(source, mailbox, stop, every=every)
    summary, begin_s = Summary(), time.monotonic()
    end_s = None if seconds is None else begin_s + seconds
    recent = deque([begin_s], maxlen=_RATE_OVER + 1)
    reader.start()
    try:
        while (shot := _next(mailbox, stop, end_s, frame_timeout_s)) is not None:
            taken_s = time.monotonic()
            (prediction,) = classifier.predict([source.picture(shot.frame.image, classifier.input_size)])
            now_s = time.monotonic()
            recent.append(now_s)
            observation = Observation(
                shot,
                prediction,
                latency_s=now_s - taken_s,
                age_s=source.now_s() - shot.frame.timestamp_s,
                fps=(len(recent) - 1) / max(now_s - recent[0], 1e-6),
            )
            for sink in sinks:
                sink.write(observation)
            summary.add(observation)
    except BrokenPipeError:
        pass  # whoever read our lines has had enough
    finally:
        stop.set()
        mailbox.close()
        reader.join(frame_timeout_s)
    if reader.failed is not None:
        raise reader.failed
    summary.elapsed_s = time.monotonic() - begin_s
    summary.seen, summary.skipped, summary.lost = mailbox.seen, mailbox.skipped, reader.lost
    return summary


class _Reader(threading.Thread):
    """Reads a source into a mailbox, and hands its error on to whoever takes.

    Attributes:
        lost: frames missing in the camera's count so far.
        failed: what the source raised, if nobody could be told of it any more.
    """

    def __init__(self, source: Source, mailbox: Mailbox[Shot], stop: threading.Event, *, every: bool) -> None:
        super().__init__(name="reader", daemon=True)
        self.lost = 0
        self.failed: NatadvError | None = None
        self._source, self._mailbox, self._stop_asked, self._every = source, mailbox, stop, every

    def run(self) -> None:
        """Read until the source ends or nobody takes any more."""
        error: BaseException | None = None
        last: int | None = None
        try:
            for shot in self._source.shots(self._stop_asked):
                if last is not None:
                    self.lost += shot.frame.index - last - 1
                last = shot.frame.index
                if not self._mailbox.put(shot, wait=self._every):
                    break
        except BaseException as raised:  # noqa: BLE001  # it is raised in the other thread
            error = raised
        if self._stop_asked.is_set() and isinstance(error, NatadvError):
            self.failed = error
        self._mailbox.close(error)


def _next(mailbox: Mailbox[Shot], stop: threading.Event, end_s: float | None, frame_timeout_s: float) -> Shot | None:
    """Take the newest frame; None when there will be no more or it is time to end."""
    give_up_s = time.monotonic() + frame_timeout_s
    while not stop.is_set():
        now_s = time.monotonic()
        if end_s is not None and now_s >= end_s:
            return None
        if now_s >= give_up_s:
            raise FrameTimeoutError(f"no frame came for {frame_timeout_s:g} s; look at the camera")
        try:
            return mailbox.take(_POLL_S)
        except queue.Empty:
            continue
    return None
