"""Figure 6: what a model looks at, on clean images, behind AdvRD's drops, and in pictures from a session.

Beside the panel, in numbers, how like the clean image's map the others are: behind drops that fool, and behind as many
that nobody optimised.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from natadv.batches import to_batch
from natadv.data.draw import Drawn
from natadv.errors import ConfigError, DataError
from natadv.evaluation.cam import grad_cam
from natadv.evaluation.rates import Z_95
from natadv.evaluation.success import is_right
from natadv.images import read_image, resize
from natadv.papers.captured import fooled_images
from natadv.papers.number import Number
from natadv.papers.panels import Seen, attention_panel
from natadv.papers.request import Request
from natadv.papers.sessions import scans_of
from natadv.training.trial import Trial
from natadv.training.victim import label_of
from rigs.archive import open_archive

TITLE = "Figure 6. Attention (Grad-CAM) on clean images and behind drops"

CLEAN, ADVRD, CAPTURED, CONTROL = "clean", "AdvRD", "captured", "as many drops, not optimised"
LIKENESS = "likeness of the map to the clean one (r)"

_ROWS = 5


def draw_figure(request: Request) -> tuple[bytes, list[Number]]:
    """Return the panel as PNG and its numbers.

    With a session, the images are those of it that have a hit by the scan asked for, or by its oldest; else those of
    `request.data`, and nothing is captured. Shown are the first five that fool the model in each way.

    Raises:
        ConfigError: without exactly one model, or with neither data nor a session.
        DataError: if no image fools the model in each way.
    """
    victims = request.victims()
    if len(victims) != 1:
        raise ConfigError("figure 6 takes one --model")
    drawn, surest = _images(request)
    trial = request.trial(victims[0], drawn)
    generator = request.drops.on(trial.size, request.device)
    outcome = request.drops.fool(trial, generator, request.box)
    _, control = request.drops.unchosen(trial, generator, outcome)
    views = {CLEAN: trial.images, ADVRD: outcome.images, CONTROL: control.images}
    wanted = outcome.fooled
    if surest:
        views[CAPTURED] = _captured(trial, surest)
        wanted = wanted & ~is_right(trial.victim.model, views[CAPTURED], trial.labels, batch_size=request.batch_size)
    places = wanted.nonzero()[:, 0]
    if not len(places):
        raise DataError(f"{trial.data}: no image fools {trial.victim.name} in each way; take more images")
    looks = {name: _look(request, trial, images[places]) for name, images in views.items()}
    shown = [name for name in (CLEAN, ADVRD, CAPTURED) if name in looks]
    rows = [
        [_seen(trial, drawn, looks[name], row, int(trial.labels[place])) for name in shown]
        for row, place in enumerate(places[:_ROWS].tolist())
    ]
    # Of the class predicted: where drops fool, that is another class than the clean map's, in part by selection.
    how = {**request.drops.setting(request.box), "maps": "of the class predicted in each view"}
    said, of_means = (request.setting(trial, **how, interval=one) for one in (None, "of the mean, by image"))
    numbers = [
        Number(
            f"{row}. {line[0].predicted}",
            name,
            100 * seen.confidence,
            None,
            None,
            1,
            None,
            f"confidence (%) in {seen.predicted!r}; {said}",
        )
        for row, line in enumerate(rows, 1)
        for name, seen in zip(shown, line, strict=True)
    ]
    return attention_panel(shown, rows), [*_likenesses(looks, of_means), *numbers]


@dataclass(frozen=True)
class _Looks:
    """Images, (k, 3, h, w), and what the model makes of them: class, confidence, (k,), and map, (k, h, w)."""

    images: Tensor
    predicted: Tensor
    confidence: Tensor
    maps: NDArray[np.float32]


def _images(request: Request) -> tuple[Drawn, dict[int, Path]]:
    if not request.sessions:
        return request.drawn(), {}
    if len(request.sessions) > 1:
        raise ConfigError("figure 6 takes one --session")
    folder = next(iter(request.sessions.values()))
    scan, _ = scans_of(folder, request.scans)[0]
    return fooled_images(open_archive(folder), scan, request.data.labels if request.data else None)


def _captured(trial: Trial, surest: Mapping[int, Path]) -> Tensor:
    pictures = [resize(read_image(surest[int(number)]), trial.size) for number in trial.numbers]
    return to_batch(np.stack(pictures), trial.images.device)


def _look(request: Request, trial: Trial, some: Tensor) -> _Looks:
    model, size = trial.victim.model, request.batch_size
    with torch.no_grad():
        sure, predicted = torch.cat([model(part).softmax(1) for part in some.split(size)]).max(1)
    return _Looks(some, predicted, sure, grad_cam(model, some, predicted, batch_size=size).numpy())


def _seen(trial: Trial, drawn: Drawn, looks: _Looks, row: int, label: int) -> Seen:
    index = int(looks.predicted[row])
    return Seen(
        image=(looks.images[row] * 255).round().to(torch.uint8).permute(1, 2, 0).cpu().numpy(),
        attention=looks.maps[row],
        predicted=label_of(trial.victim, drawn.dataset, index),
        confidence=float(looks.confidence[row]),
        right=index == label,
    )


def _likenesses(looks: Mapping[str, _Looks], said: str) -> Iterator[Number]:
    """Yield the mean correlation of each view's maps with the clean ones; a map without contrast has none."""
    clean = looks[CLEAN].maps.reshape(len(looks[CLEAN].maps), -1)
    for name in (ADVRD, CONTROL, CAPTURED):
        if name not in looks:
            continue
        maps = looks[name].maps.reshape(clean.shape)
        told = (clean.std(1) > 0) & (maps.std(1) > 0)
        r = np.array([np.corrcoef(*pair)[0, 1] for pair in zip(clean[told], maps[told], strict=True)])
        if len(r) > 1:
            half = Z_95 * r.std(ddof=1) / len(r) ** 0.5
            low, high = max(-1.0, r.mean() - half), min(1.0, r.mean() + half)
            yield Number(LIKENESS, name, float(r.mean()), low, high, len(r), None, said)
