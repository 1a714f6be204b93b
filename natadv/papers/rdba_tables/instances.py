"""Figures 1 and 4: test images with each trigger, and with rain of several densities, one below the other."""

import numpy as np

from natadv.backdoors.named import TRIGGERS, make_trigger
from natadv.papers.number import Number
from natadv.papers.panels import image_panel
from natadv.papers.rdba_tables.request import RdbaRequest

_SHOWN = 8
_DENSITIES = (0.5, 3)  # of Figure 4, with the default's 6


def draw_instances(request: RdbaRequest) -> tuple[bytes, list[Number]]:
    """Return the picture, a line a trigger, and how much each changes all test images of other classes."""
    bench, test = request.bench, request.bench.test().others(0)
    spread = np.unique(np.linspace(0, len(test) - 1, _SHOWN).round().astype(int))
    triggers = {f"rdba, alpha {alpha:g}": make_trigger("rdba", [f"alpha={alpha}"]) for alpha in _DENSITIES}
    triggers |= {name: make_trigger(name) for name in TRIGGERS}
    rows, numbers = {"clean": list(test.images[spread])}, []
    for name, trigger in triggers.items():
        poisoning = bench.poisoning(trigger)
        shown = np.stack([poisoning.triggered(image, index, test=True) for index, image in enumerate(test.images)])
        rows[name] = list(shown[spread])
        change = float(np.abs(shown.astype(np.int16) - test.images).mean())
        said = bench.setting(number="mean absolute change, levels of 255")
        numbers.append(Number(name, "change", change, None, None, len(test), None, said))
    return image_panel(rows), numbers
