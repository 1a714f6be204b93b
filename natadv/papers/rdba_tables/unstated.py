"""What the paper leaves open of RDBA, one part changed at a time: how much of the attack hangs on it."""

from collections.abc import Iterator

import numpy as np

from natadv.backdoors.named import make_trigger
from natadv.papers.number import Number
from natadv.papers.rdba_tables.request import RdbaRequest, share

PARTS: tuple[tuple[str, ...], ...] = (
    (),
    ("neighbour=0",),
    ("neighbour=2",),
    ("centre=1", "neighbour=1"),  # the plain sum over the cross
    ("centre=1", "neighbour=0"),  # no K1
    ("length_px=[2, 6]",),
    ("length_px=[8, 24]",),
    ("angle_deg=[0, 0]",),
    ("sigma_px=1",),
    ("beta=0.4",),
    ("beta=1",),
    ("opacity=0.6",),
    ("normalise=none",),
)
"""Settings of `natadv.backdoors.rdba.Rdba`, a row each; the rest is the defaults."""


def numbers(request: RdbaRequest) -> Iterator[Number]:
    """Yield for each row how much the trigger changes the test images, accuracy and attack success."""
    bench, test = request.bench, request.bench.test()
    others = test.others(0)
    for settings in PARTS:
        row = ", ".join(settings) or "defaults"
        poisoning = bench.poisoning(make_trigger("rdba", settings))
        said = bench.setting(kappa=bench.share, trigger=f"rdba with {row}")
        shown = np.stack([poisoning.triggered(image, index, test=True) for index, image in enumerate(others.images)])
        change = float(np.abs(shown.astype(np.int16) - others.images).mean())
        what = f"{said}; number mean absolute change, levels of 255"
        yield Number(row, "change", change, None, None, len(others), None, what)
        found = request.measured(request.model_of(poisoning), poisoning, test)
        yield share(row, "ATA", found.accuracy, test, paper=None, setting=said)
        yield share(row, "ASR", found.success, others, paper=None, setting=said)
