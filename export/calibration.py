"""How sure a deployed model may be: its temperature, from images that it was not trained on."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from export.frames import batches
from export.graph import DeployedClassifier
from export.parity import steady_noise
from natadv.data.dataset import Dataset
from natadv.evaluation.calibration import Bin, calibration_error, fit_temperature, reliability

FEWEST: Final = 100
"""Images below which a temperature says more of chance than of the model."""
_MOST: Final = 4000


@dataclass(frozen=True, slots=True)
class Calibration:
    """A temperature, fitted on half of the images, and what it is worth on the other half.

    Attributes:
        temperature: see `natadv.evaluation.calibration.fit_temperature`; 1 where the fitted one did not lower the error
            of the second half, or all answers of the first are right, which tells nothing of how sure to be.
        error: expected calibration error with it, 0..1.
        error_before: without it.
        images: of the second half.
        reliability: of the second half, with the temperature.
        reliability_before: without it.
    """

    temperature: float
    error: float
    error_before: float
    images: int
    reliability: tuple[Bin, ...]
    reliability_before: tuple[Bin, ...]


def calibrate(
    deployed: DeployedClassifier,
    dataset: Dataset,
    places: NDArray[np.int64],
    size: tuple[int, int],
    rng: np.random.Generator,
) -> Calibration | None:
    """Fit a temperature to a torch model of temperature 1.

    Args:
        deployed: the model.
        dataset: labelled images; at most 4000 of them are looked at.
        places: the model's class index for each of the data set's.
        size: (height, width) of the model's input.
        rng: of who is in which half.

    Returns:
        None where there are fewer than a hundred images.
    """
    if len(dataset) < FEWEST:
        return None
    some = dataset.subset(rng.permutation(len(dataset))[:_MOST])
    deployed, stream = deployed.eval(), steady_noise(deployed.noise)
    logits, targets, count = [], [], 0
    for frames, classes in batches(some, size):
        chance = {name: torch.from_numpy(values) for name, values in stream(count, len(frames)).items()}
        with torch.no_grad():
            logits.append(deployed(torch.from_numpy(frames), **chance)[1])
        targets.append(torch.from_numpy(places[classes]))
        count += len(frames)
    half = count // 2
    answers, true = torch.cat(logits), torch.cat(targets)
    # Where every answer is right the best temperature is none: it would be the least that is tried, all answers sure.
    faultless = bool((answers[:half].argmax(1) == true[:half]).all())
    temperature = 1.0 if faultless else fit_temperature(answers[:half], true[:half])
    with_it, without = (torch.softmax(answers[half:].double() / one, 1) for one in (temperature, 1.0))
    if calibration_error(with_it, true[half:]) >= calibration_error(without, true[half:]):
        # The fit lowers the loss, not this error, and few images leave much of it to chance.
        temperature, with_it = 1.0, without
    return Calibration(
        temperature=temperature,
        error=calibration_error(with_it, true[half:]),
        error_before=calibration_error(without, true[half:]),
        images=count - half,
        reliability=reliability(with_it, true[half:]),
        reliability_before=reliability(without, true[half:]),
    )
