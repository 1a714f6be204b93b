"""Figure 4: real raindrops, and below them those of our renderer and of generators, on the same pictures.

In numbers, how much of a picture each covers, and how much a code matters; where a pair's clean side is a
restoration, what it restored wrongly counts as covered too.
"""

import numpy as np
import torch
from torch import Tensor

from natadv.batches import to_batch, to_images
from natadv.data.crops import Crops
from natadv.evaluation.perturbation import perturbation
from natadv.evaluation.rates import Z_95
from natadv.evaluation.rfid_controls import RenderedDrops, natural
from natadv.papers.number import Number, setting
from natadv.papers.panels import image_panel
from natadv.papers.reality import said_of, unseen_crops
from natadv.papers.request import Request, required
from natadv.raindrops.photograph import behind_panes
from natadv.training.generators import open_generator

TITLE = "Figure 4. Real raindrops and generated ones"

CLEAN, REAL, RENDERED = "clean", "real", "rendered"

_COLUMNS = 7


@torch.no_grad()
def draw_figure(request: Request) -> tuple[bytes, list[Number]]:
    """Return the panel as PNG, of crops that no generator was trained on, and how much of them is covered.

    Raises:
        ConfigError: without pairs, or if too few photographs are left.
        DataError: if a file cannot be read.
    """
    crops = unseen_crops(request)
    clean, real = (to_batch(images, torch.device(request.device)) for images in (crops.clean, crops.rain))
    size = (clean.shape[-2], clean.shape[-1])
    rendered = RenderedDrops(behind_panes(size, np.random.default_rng(request.seed)), seed=request.seed)
    made = {CLEAN: clean, REAL: real, RENDERED: rendered(clean)}
    about = {CLEAN: "", REAL: "", RENDERED: "panes"}
    numbers = []
    for spec in request.generators:
        drops = open_generator(spec, size)
        generator = drops.generator.to(request.device)
        wets = (natural(generator, seed) for seed in (request.seed, request.seed + 1))
        first, second = (torch.cat([wet(some) for some in clean.split(request.batch_size)]) for wet in wets)
        made[drops.name], about[drops.name] = first, drops.described
        # 0 where codes are ignored; two layouts that never overlap give 2.
        apart = ((first - second).abs().mean((1, 2, 3)) / (first - clean).abs().mean((1, 2, 3)).clamp(min=1e-6)).cpu()
        numbers.append(_number("difference by code", drops.name, apart, _said(request, crops, drops.described)))
    for name, images in made.items():
        if name != CLEAN:
            shares = 100 * perturbation(clean, images).coverage.cpu()
            numbers.append(_number("covered (%)", name, shares, _said(request, crops, about[name])))
    places = np.linspace(0, len(crops) - 1, min(_COLUMNS, len(crops))).round().astype(int)
    return image_panel({name: _drawn(images[places]) for name, images in made.items()}), numbers


def _drawn(images: Tensor) -> list[np.ndarray]:
    return list(to_images(images))


def _said(request: Request, crops: Crops, described: str) -> str:
    return setting(
        data=said_of(crops, required(request.pairs, "--pairs").name), generator=described or None, seed=request.seed
    )


def _number(row: str, column: str, values: Tensor, said: str) -> Number:
    mean, half = float(values.mean()), Z_95 * float(values.std()) / len(values) ** 0.5
    return Number(row, column, mean, mean - half, mean + half, len(values), None, said)
