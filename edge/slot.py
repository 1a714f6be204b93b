"""Slot: the model that a live run asks, and how another takes its place while frames go on."""

import ctypes
import threading
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edge.prediction import Prediction
from edge.source import Shot, Source
from natadv.errors import ConfigError
from natadv.images import Image


class Predictor(Protocol):
    """What the loop needs of a classifier."""

    @property
    def labels(self) -> tuple[str, ...]:
        """All that it may say."""
        ...

    @property
    def digest(self) -> str:
        """SHA-256 of its file, in hex."""
        ...

    @property
    def input_size(self) -> tuple[int, int]:
        """(height, width) that it works at."""
        ...

    @property
    def described(self) -> str:
        """What it is, in words."""
        ...

    def prepare(self, images: Sequence[Image]) -> NDArray[np.uint8]:
        """Return images as the frames that `answer` takes."""
        ...

    def answer(self, frames: NDArray[np.uint8]) -> list[Prediction]:
        """Return a prediction for each frame."""
        ...

    def abandon(self) -> None:
        """Ask an answer that is being worked out, in another thread, to end with an error."""
        ...

    def close(self) -> None:
        """Let the model go; may be called twice."""
        ...


class Slot:
    """Holds the model in use. Whoever asks it closes the one before, when it no longer asks that one.

    Attributes:
        model: the one in use.
        swaps: how often it was replaced.
    """

    def __init__(self, model: Predictor) -> None:
        self.model = model
        self.swaps = 0
        self._needed: tuple[str, ...] = ()
        self._lock = threading.Lock()

    def need(self, labels: Sequence[str]) -> None:
        """Hold the model, and any that follows, to the labels that a source knows.

        Raises:
            ConfigError: if the model lacks one.
        """
        with self._lock:
            _check(self.model, labels)
            self._needed = tuple(labels)

    def put(self, model: Predictor, *, instead_of: Predictor | None = None) -> bool:
        """Put a model in place of the one in use, from its next frame on; return whether it was.

        Args:
            model: the next one.
            instead_of: the one that it is to follow; where another came in between, that one stays.

        Raises:
            ConfigError: if it lacks a label that the source needs; the one in use stays.
        """
        with self._lock:
            if instead_of is not None and self.model is not instead_of:
                return False
            _check(model, self._needed)
            self.model = model
            self.swaps += 1
            return True

    def prepare(self, shot: Shot, source: Source) -> NDArray[np.uint8]:
        """Return what the model in use takes of a shot, uint8 (1, h, w, 3)."""
        return prepare(self.model, shot, source)

    def close(self) -> None:
        """Let the model in use go."""
        self.model.close()


def prepare(model: Predictor, shot: Shot, source: Source) -> NDArray[np.uint8]:
    """Return what a model takes of a shot, uint8 (1, h, w, 3): the part that it is to look at, at its size."""
    return model.prepare([source.picture(shot.frame.image, model.input_size)])


def give_back() -> None:
    """Hand memory that a closed model took back to the system; glibc alone keeps it, and is alone asked."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _check(model: Predictor, labels: Sequence[str]) -> None:
    lacking = [label for label in labels if label not in model.labels]
    if lacking:
        raise ConfigError(f"label {lacking[0]!r} of the source is not among the model's {len(model.labels)}")
