"""Figure 4: real raindrops above, a generator's below, on the clean sides of the same pictures.

In numbers, how much of a picture each covers; where a pair's clean side is a restoration, what it restored wrongly
counts as covered too.
"""

import numpy as np
import torch

from natadv.evaluation.perturbation import perturbation
from natadv.papers.number import Number, setting
from natadv.papers.panels import image_panel
from natadv.papers.reality import natural, unseen_crops
from natadv.papers.request import Request
from natadv.training.pictures import to_batch

TITLE = "Figure 4. Real raindrops and generated ones"

REAL, GENERATED = "real", "generated"

_COLUMNS = 6
_Z_95 = 1.96


@torch.no_grad()
def draw_figure(request: Request) -> tuple[bytes, list[Number]]:
    """Return the panel as PNG, of crops that the generator was not trained on, and how much of them is covered.

    Raises:
        ConfigError: without pairs, or if too few photographs are left.
        DataError: if a file cannot be read.
    """
    crops = unseen_crops(request)
    clean, real = (to_batch(images, torch.device(request.device)) for images in (crops.clean, crops.rain))
    size = (clean.shape[-2], clean.shape[-1])
    wet = natural(request.drops.on(size, request.device), request.seed)
    made = torch.cat([wet(some) for some in clean.split(request.batch_size)])
    said = setting(
        data=f"pairs of {len(set(crops.photographs))} photographs",
        generator=request.drops.described,
        size=f"{size[1]}x{size[0]} px",
        seed=request.seed,
    )
    numbers = []
    for column, images in ((REAL, real), (GENERATED, made)):
        shares = 100 * perturbation(clean, images).coverage.cpu().numpy()
        half = _Z_95 * shares.std(ddof=1) / len(shares) ** 0.5
        mean = float(shares.mean())
        numbers.append(Number("covered (%)", column, mean, mean - half, mean + half, len(shares), None, said))
    places = np.linspace(0, len(crops) - 1, min(_COLUMNS, len(crops))).round().astype(int)
    drawn = (made[places] * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    rows = {REAL: list(crops.rain[places]), GENERATED: list(drawn)}
    return image_panel(rows), numbers
