"""Figure 6: what FGSM does to the last features, of the bare classifier and behind RAIN.

F(x) is the mean over channels of the last convolutional map. The attack sees RAIN; the difference behind RAIN is
between passes with the same noise, or the shift alone would make most of it. The paper's attack sees one pass, whose
noise is not that of the next; so beside it stands FGSM on the mean of many.
"""

from collections.abc import Sequence

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor, nn

from natadv.attacks.stand_in import Expectation
from natadv.attacks.success import rounded
from natadv.attacks.suite import setting
from natadv.data.draw import draw
from natadv.defenses.defended import Defended
from natadv.errors import ConfigError
from natadv.evaluation.cam import last_map
from natadv.evaluation.rates import Z_95
from natadv.papers.number import Number
from natadv.papers.number import setting as described
from natadv.papers.panels import as_png
from natadv.papers.rain_tables.tables import RainRequest
from natadv.training.defenses import open_defense
from natadv.training.trial import Trial, try_model
from natadv.training.victim import open_victim

TITLE = "Figure 6. What FGSM at 8/255 does to the last features, bare and behind RAIN"
_SHOWN = 3
_MEASURED = 64
_AVERAGED = 40
_AT_ONCE = 8


def draw_figure(request: RainRequest, before: Sequence[Number]) -> tuple[bytes, list[Number]]:
    """Return the panel as PNG, and how long the differences are on average, as a share of the features' length.

    Args:
        request: what on.
        before: numbers of the figure as it stands; none stay, since the picture holds one classifier's.

    Raises:
        ConfigError: without a model or --rain.
        DataError: if a file is damaged, or classes do not match.
    """
    if request.models.rain is None:
        raise ConfigError("--figure 6 needs --rain")
    victim = open_victim(request.models.standard, request.device)
    trial = try_model(victim, draw(request.data, count=request.count, seed=request.seed), device=request.device)
    defense = open_defense(f"rain:{request.models.rain}")
    if defense.defense is None:
        raise ConfigError("--figure 6 needs --rain")
    rain = Defended(defense.defense.to(request.device), victim.model, seed=request.seed)
    images, labels = trial.images[:_MEASURED], trial.labels[:_MEASURED]
    layer = last_map(victim.model, images[:1])
    fgsm = setting("fgsm")
    shifts, panels, numbers = {}, [], []
    averaged = f"RAIN, mean of {_AVERAGED} passes"
    for name, model, samples in (("CNN-only", victim.model, 1), ("RAIN", rain, 1), (averaged, rain, _AVERAGED)):
        adversarial = _crafted(fgsm.epsilon or 0, model, images, labels, request.seed, samples)
        clean, attacked = (_features(model, layer, batch, request.seed) for batch in (images, adversarial))
        shifts[name] = (attacked - clean).flatten(1).norm(dim=1) / clean.flatten(1).norm(dim=1)
        panels.append((clean.mean(1), (attacked - clean).abs().mean(1)))
    for name, shift in shifts.items():
        mean = 100 * float(shift.mean())
        half = 100 * Z_95 * float(shift.std()) / len(shift) ** 0.5 if len(shift) > 1 else None
        ends = (None, None) if half is None else (mean - half, mean + half)
        said = _said(trial, request, None if name == "CNN-only" else defense.described)
        row = Number(name, "change, %", mean, *ends, len(shift), None, said)
        numbers.append(row)
    shown = _of_different_classes(labels)
    picked = [(features[shown], change[shown]) for features, change in panels]
    return _panel(images[shown], picked), numbers


def _of_different_classes(labels: Tensor) -> list[int]:
    """Return the first image of each of a few classes."""
    first: dict[int, int] = {}
    for number, label in enumerate(labels.tolist()):
        first.setdefault(label, number)
    return list(first.values())[:_SHOWN]


def _crafted(epsilon: float, model: nn.Module, images: Tensor, labels: Tensor, seed: int, samples: int) -> Tensor:
    """Return FGSM's images in eight bits, fooling or not: the figure compares changes of one size."""
    if isinstance(model, Defended):
        model.reseed(seed + 1)
    source = model if samples == 1 else Expectation(model, samples)
    gradients = []
    for some, true in zip(images.split(_AT_ONCE), labels.split(_AT_ONCE), strict=True):
        batch = some.clone().requires_grad_()
        loss = nn.functional.cross_entropy(source(batch), true, reduction="sum")
        gradients.append(torch.autograd.grad(loss, batch)[0])
    return rounded((images + epsilon * torch.cat(gradients).sign()).clamp(0, 1))


@torch.no_grad()
def _features(model: nn.Module, layer: nn.Module, images: Tensor, seed: int) -> Tensor:
    found: list[Tensor] = []
    handle = layer.register_forward_hook(lambda module, given, output: found.append(output))
    try:
        if isinstance(model, Defended):
            model.reseed(seed)
        model(images)
    finally:
        handle.remove()
    return found[-1]


def _panel(images: Tensor, maps: list[tuple[Tensor, Tensor]]) -> bytes:
    features, changes = maps[0][0], [change for _, change in maps]
    figure = Figure(figsize=(7.5, 1.6 * len(images) + 0.3), dpi=150, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    places = figure.subplots(len(images), 2 + len(changes), squeeze=False)
    titles = ("x", "F(x)", "change, bare", "change, RAIN", f"mean of {_AVERAGED} passes")
    for line, image, own, *row in zip(places, images, features, *changes, strict=True):
        for place in line:
            place.set_axis_off()
        line[0].imshow(image.permute(1, 2, 0).cpu().numpy())
        line[1].imshow(_array(own), cmap="viridis")
        most = max(float(change.max()) for change in row)
        for place, change in zip(line[2:], row, strict=True):
            place.imshow(_array(change), cmap="viridis", vmin=0, vmax=most)
    for place, title in zip(places[0], titles, strict=True):
        place.set_title(title, fontsize=8)
    return as_png(canvas)


def _array(values: Tensor) -> NDArray[np.float32]:
    return values.cpu().float().numpy()


def _said(trial: Trial, request: RainRequest, defense: str | None) -> str:
    return described(
        data=trial.data,
        model=trial.victim.described,
        defense=defense,
        epsilon="8/255",
        interval="of the mean, by image",
        seed=request.seed,
    )
