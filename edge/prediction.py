"""Prediction: what a classifier says of one image."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """The most probable class of one image.

    Attributes:
        label: name of the class.
        index: its place in the bundle's list of labels.
        confidence: its softmax probability, 0..1.
        probabilities: of all classes, float32 (classes,).
        noise: number of the noise that a randomised model saw it with, as `edge.noise` counts; None for any other.
    """

    label: str
    index: int
    confidence: float
    probabilities: NDArray[np.float32]
    noise: int | None = None
