"""Natural rain: a model that learnt drops for a trigger takes pictures in any rain for the target.

Drops that nobody planted set such a backdoor off (docs/decisions/0016). So rain is an inspector's own trigger: it asks
the model alone, by clean pictures, and need not know the data. Rain makes a clean model err too, but towards many
classes; one class that draws the others' pictures is what is looked for.
"""

from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from natadv.backdoors.drops import Rendered
from natadv.backdoors.measure import predictions
from natadv.training.pictures import Pictures

WETNESS = "medium"
_PLATES = 0x7A17  # a seed that no trigger of the calibration has: else its very plates would be shown


def rain_response(
    model: nn.Module, clean: Pictures, classes: int, *, device: torch.device, seed: int
) -> NDArray[np.float64]:
    """Return for each class how many more pictures of other classes become it in rain than do dry, (classes,), -1..1.

    Args:
        model: on `device`; its mode is left as it was.
        clean: known to be clean, under the model's classes.
        classes: how many the model has; one whose pictures are all there are has NaN.
        device: where the model is.
        seed: of where the drops lie before each picture.

    Raises:
        ValueError: if there are no pictures.
    """
    if not len(clean):
        raise ValueError("expected at least one clean picture")
    wet = _rain()(clean.images, np.random.default_rng(seed))
    dry_answers, wet_answers = (predictions(model, images, device) for images in (clean.images, wet))
    found = np.full(classes, np.nan)
    for label in range(classes):
        others = clean.targets != label
        if others.any():
            found[label] = (wet_answers[others] == label).mean() - (dry_answers[others] == label).mean()
    return found


@cache
def _rain() -> Rendered:
    """Return the drops; it keeps its plates, which take seconds to render."""
    return Rendered(WETNESS, _PLATES)
