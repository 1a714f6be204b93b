"""What our wrapper adds to a library's PGD: rounding, looking before and after, counting passes."""

import time
from typing import Any

import torch
from torch import Generator
from torchattack import PGD

from natadv.attacks.library import pgd
from natadv.evaluation.latency import medians_in_turn
from natadv.freed_memory import keep_freed_memory
from natadv.models.classifier import create_classifier
from natadv.models.frozen import frozen

STEPS, SIDE, BATCH = 10, 64, 32


def measure(*, runs: int = 25) -> list[dict[str, Any]]:
    """Return the row of this benchmark for benchmarks/results.json.

    Args:
        runs: of which the medians are taken.
    """
    keep_freed_memory()  # as natadv's commands do, and for both
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        torch.manual_seed(0)
        model = create_classifier("natadv_slim", tuple(map(str, range(43))), (SIDE, SIDE)).eval()
        images = torch.randint(0, 256, (BATCH, 3, SIDE, SIDE), generator=Generator().manual_seed(0)) / 255
        with torch.no_grad():
            labels = model(images).argmax(1)
        library = PGD(model, device=images.device, eps=8 / 255, steps=STEPS, alpha=2 / 255)
        with frozen(model):
            ours_s, bare_s = medians_in_turn(
                [
                    lambda: pgd(model, images, labels, epsilon=8 / 255, steps=STEPS, step_size=2 / 255),
                    lambda: library(images, labels),
                ],
                runs,
                time.process_time,
            )
    finally:
        torch.set_num_threads(threads)
    return [
        {
            "name": "pgd_over_library",
            "ratio": ours_s / bare_s,
            "ours": 1e3 * ours_s / BATCH,
            "reference": 1e3 * bare_s / BATCH,
            "reference_name": "torchattack's PGD on frozen weights",
            "unit": "ms an image",
            "better": "lower",
            "note": f"PGD-{STEPS}, natadv_slim at {SIDE} px, batches of {BATCH}, CPU time of one core, freed memory "
            f"kept; ours has two forward passes more, to look before and after",
        }
    ]
