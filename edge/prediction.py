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
        disagreement: how far a randomised model's draws of this image are from their mean, 0..1, as total variation;
            None for one draw, and for any other model.
        score: the detector's, that the image is adversarial, 0..1; None where the bundle has none.
        threshold: above which the bundle calls a score an alarm.
    """

    label: str
    index: int
    confidence: float
    probabilities: NDArray[np.float32]
    noise: int | None = None
    disagreement: float | None = None
    score: float | None = None
    threshold: float | None = None
