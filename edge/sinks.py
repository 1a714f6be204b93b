"""Where a live run's predictions go, and what is told of each; lines of JSON are here."""

import contextlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Protocol, TextIO

from edge.events import Event
from edge.prediction import Prediction
from edge.source import Shot
from natadv.durable import file_error

STAGES: Final = ("captured", "queued", "prepared", "inferred", "published")


@dataclass(frozen=True, slots=True)
class Stages:
    """Where the time of one frame went, in seconds.

    Attributes:
        captured_s: from its time to when the reader had it: exposure, transport, decoding, as far as the source's
            stamps tell; 0 where a frame's time is its arrival, as OpenCV's webcams and MJPEG have it.
        queued_s: from there until the model's thread took it, less `prepared_s` where the reader has spent that.
        prepared_s: for cutting out and resizing what the model sees, by the reader or, where it is behind, the model's
            thread.
        inferred_s: for the model's answer.
        published_s: that the sinks took for the prediction before this one; of its own nobody can know yet.
    """

    captured_s: float
    queued_s: float
    prepared_s: float
    inferred_s: float
    published_s: float = 0.0

    def named(self) -> dict[str, float]:
        """Return the seconds by the stages' names, in order."""
        return {stage: getattr(self, f"{stage}_s") for stage in STAGES}


@dataclass(frozen=True, slots=True, eq=False)
class Observation:
    """A prediction as it is published.

    Attributes:
        shot: the frame that was looked at.
        prediction: what the classifier says of it.
        stages: where its time went.
        age_s: from the frame's time to its prediction: how old the news is.
        fps: predictions a second, of late.
        steady: the label that held last, see `edge.steady`; None: none yet.
        signs: of trouble in the last frames, see `edge.alarm`.
        alarm: whether there is an alarm.
        at: when it was published, by the calendar.
        model_sha256: of the model that said it, which may not be the one in use any more; empty where nobody tells.
        labels: that this model knows.
    """

    shot: Shot
    prediction: Prediction
    stages: Stages
    age_s: float
    fps: float
    steady: str | None = None
    signs: tuple[str, ...] = ()
    alarm: bool = False
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    model_sha256: str = ""
    labels: tuple[str, ...] = ()

    @property
    def latency_s(self) -> float:
        """From taking the frame to its prediction, in seconds."""
        return self.stages.prepared_s + self.stages.inferred_s


class Sink(Protocol):
    """Takes observations and events one by one, in the order they came about."""

    def write(self, observation: Observation) -> None:
        """Publish one.

        Raises:
            BrokenPipeError: if nobody listens any more.
            NatadvError: if it cannot be kept.
        """
        ...

    def note(self, event: Event) -> None:
        """Publish an event; raises as `write`."""
        ...


def tell(each: Iterable[Callable[[], None]]) -> None:
    """Make each of some calls of sinks; that one of these has gone keeps nothing from the others.

    Raises:
        BrokenPipeError: if one has gone, when the others were told.
        NatadvError: if one cannot keep it.
    """
    gone: BrokenPipeError | None = None
    for call in each:
        try:
            call()
        except BrokenPipeError as error:
            gone = error
    if gone is not None:
        raise gone


def prediction_record(observation: Observation) -> dict[str, object]:
    """Return an observation as plain values for programs; `JsonLines.write` describes them."""
    frame, prediction = observation.shot.frame, observation.prediction
    line: dict[str, object] = {
        "index": frame.index,
        "timestamp_s": round(frame.timestamp_s, 6),
        "label": prediction.label,
        "confidence": round(prediction.confidence, 4),
        "steady": observation.steady,
        "latency_ms": round(1e3 * observation.latency_s, 2),
        "age_ms": round(1e3 * observation.age_s, 2),
        "fps": round(observation.fps, 2),
    }
    if observation.shot.label is not None:
        line["truth"] = observation.shot.label
    for name, value in (
        ("noise", prediction.noise),
        ("disagreement", _rounded(prediction.disagreement)),
        ("score", _rounded(prediction.score)),
        ("signs", list(observation.signs) or None),
        ("alarm", observation.alarm or None),
    ):
        if value is not None:
            line[name] = value
    return line


def event_record(event: Event) -> dict[str, object]:
    """Return an event as plain values for programs: event, text, at."""
    return {"event": event.kind, "text": event.text, "at": event.at.isoformat(timespec="milliseconds")}


class JsonLines:
    """One JSON object a line, flushed at once."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, observation: Observation) -> None:
        """Write a line with the keys index, timestamp_s, label, confidence, steady, latency_ms, age_ms, fps.

        `truth` is added where the source knows what the frame shows, `noise` where the model is randomised: the number
        by which its pass can be replayed; `disagreement` and `score` where the model gives them; `signs` and `alarm`
        where there are such.

        Raises:
            BrokenPipeError: if nobody listens any more.
            ResourceError: if the disk is full.
            DataError: if it cannot be written for another reason.
        """
        self._line(prediction_record(observation))

    def note(self, event: Event) -> None:
        """Write a line with the keys event, text, at; raises as `write`."""
        self._line(event_record(event))

    def _line(self, line: dict[str, object]) -> None:
        try:
            try:
                self._stream.write(json.dumps(line, ensure_ascii=False) + "\n")
            except UnicodeEncodeError:  # another encoding than UTF-8, or the name of a file that is no text
                self._stream.write(json.dumps(line) + "\n")
            self._stream.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise file_error(Path("standard output"), error) from error


class EventLines:
    """Events as lines for a person or a system's journal; of the label's changes it says nothing."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, observation: Observation) -> None:
        """Leave predictions out."""

    def note(self, event: Event) -> None:
        """Write a line; that nobody reads it is no reason to stop."""
        if event.kind == "label":
            return
        with contextlib.suppress(OSError):
            self._stream.write(f"{event.at:%H:%M:%S} {event.kind}: {event.text}\n")
            self._stream.flush()


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
