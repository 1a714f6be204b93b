"""Figure 8: where backdoored models look at triggered images, by Grad-CAM and Grad-CAM++; and how alike maps are.

The paper says in words that BadNets' maps sit where the patch is and RDBA's are scattered. The numbers beside the
picture say it: the mean map's largest value, which is 1 where all maps agree on one place and low where none do.
"""

from collections.abc import Mapping
from typing import Literal

import numpy as np
import torch

from natadv.backdoors.measure import predictions
from natadv.backdoors.named import make_trigger
from natadv.backdoors.poison import triggered_test
from natadv.batches import to_batch
from natadv.evaluation.cam import grad_cam, require_grad_cam
from natadv.papers.number import Number
from natadv.papers.panels import image_panel, overlay
from natadv.papers.rdba_tables.request import RdbaRequest
from natadv.training.pictures import Pictures

_SHOWN, _MOST = 8, 128
_METHODS: Mapping[Literal["grad-cam", "grad-cam++"], str] = {
    "grad-cam": "maps agree",
    "grad-cam++": "maps agree, Grad-CAM++",
}


def draw_maps(request: RdbaRequest) -> tuple[bytes, list[Number]]:
    """Return the picture, three lines a trigger, and how far the maps of each trigger agree, in percent."""
    require_grad_cam()  # before any model is trained
    bench, rows, numbers = request.bench, {}, []
    for name in request.triggers:
        poisoning = bench.poisoning(make_trigger(name))
        model = request.model_of(poisoning)
        shown = _fooled(triggered_test(bench.test(), poisoning), model, bench.device)
        spread = np.unique(np.linspace(0, len(shown) - 1, _SHOWN).round().astype(int))  # they come class by class
        rows[name] = list(shown.images[spread])
        said = bench.setting(kappa=bench.share, number="largest value of the mean map; 100 where all agree on a place")
        targets = torch.zeros(len(shown), dtype=torch.long)
        for method, column in _METHODS.items():
            maps = grad_cam(model, to_batch(shown.images, bench.device), targets, method=method).numpy()
            rows[f"{name}, {method}"] = [overlay(shown.images[index], maps[index]) for index in spread]
            agreed = float(maps.mean(0).max())
            numbers.append(Number(name, column, 100 * agreed, None, None, len(shown), None, said))
    return image_panel(rows), numbers


def _fooled(shown: Pictures, model: torch.nn.Module, device: torch.device) -> Pictures:
    """Return triggered images that the model takes for the target, spread over the classes; the others have no map.

    Where it takes none for it, any images are returned, to show where such a model looks.
    """
    became = np.flatnonzero(predictions(model, shown.images, device) == 0)
    some = became if len(became) else np.arange(len(shown))
    return shown.subset(np.unique(some[np.linspace(0, len(some) - 1, _MOST).round().astype(int)]))
