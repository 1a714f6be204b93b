"""Where a live run's predictions go, and what is told of each; lines of JSON are here."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TextIO

from edge.prediction import Prediction
from edge.source import Shot
from natadv.durable import file_error


@dataclass(frozen=True, slots=True, eq=False)
class Observation:
    """A prediction as it is published.

    Attributes:
        shot: the frame that was looked at.
        prediction: what the classifier says of it.
        latency_s: from taking the frame to its prediction.
        age_s: from the frame's time to its prediction: how old the news is.
        fps: predictions a second, of late.
    """

    shot: Shot
    prediction: Prediction
    latency_s: float
    age_s: float
    fps: float


class Sink(Protocol):
    """Takes observations one by one."""

    def write(self, observation: Observation) -> None:
        """Publish one.

        Raises:
            BrokenPipeError: if nobody listens any more.
            NatadvError: if it cannot be kept.
        """
        ...


class JsonLines:
    """One JSON object a line, flushed at once."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, observation: Observation) -> None:
        """Write a line with the keys index, timestamp_s, label, confidence, latency_ms, age_ms, fps.

        `truth` is added where the source knows what the frame shows, `noise` where the model is randomised: the number
        by which its pass can be replayed.

        Raises:
            BrokenPipeError: if nobody listens any more.
            ResourceError: if the disk is full.
            DataError: if it cannot be written for another reason.
        """
        frame, prediction = observation.shot.frame, observation.prediction
        line: dict[str, object] = {
            "index": frame.index,
            "timestamp_s": round(frame.timestamp_s, 6),
            "label": prediction.label,
            "confidence": round(prediction.confidence, 4),
            "latency_ms": round(1e3 * observation.latency_s, 2),
            "age_ms": round(1e3 * observation.age_s, 2),
            "fps": round(observation.fps, 2),
        }
        if observation.shot.label is not None:
            line["truth"] = observation.shot.label
        if prediction.noise is not None:
            line["noise"] = prediction.noise
        try:
            self._stream.write(json.dumps(line, ensure_ascii=False) + "\n")
            self._stream.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise file_error(Path("standard output"), error) from error
