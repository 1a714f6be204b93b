"""A picture of what attacks do: some images, each attack's result, the difference, and what a defence makes of it."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor, nn

from natadv.attacks.suite import Setting
from natadv.campaign.robustness_plan import RobustnessPlan
from natadv.data.load import load_test
from natadv.defenses.defended import Defended
from natadv.durable import replace_file
from natadv.training.victim import label_of

PICTURE = "picture.png"
_AMPLIFIED = 10
_INCH = 1.1
_LETTERS = 18


@dataclass(frozen=True)
class Shown:
    """What an attack made of the images.

    Attributes:
        name: of the attack.
        images: (n, 3, h, w), RGB in [0, 1].
        fooled: bool, (n,).
        classes: what the bare classifier says of each, (n,).
    """

    name: str
    images: Tensor
    fooled: Tensor
    classes: Tensor


def write_picture(plan: RobustnessPlan, count: int, *, device: str) -> Path:
    """Attack the first `count` images of a plan's with its plain attacks, draw them, and return the picture's path.

    What the plan's first defence makes of them is shown too; the attacks do not see it.

    Raises:
        ResourceError: if the disk is full.
        DataError: if the file system refuses for another reason.
    """
    trial = plan.trial(device)
    images, labels = trial.images[:count], trial.labels[:count]
    found = attacked_images(trial.victim.model, images, labels, plan.settings(trial.victim.model), plan.seed)
    first = next((one for one in plan.opened() if one.defense is not None), None)
    defended = None if first is None else first.before(trial.victim.model, seed=plan.seed).to(device)
    data = load_test(plan.data, plan.root, plan.labels)
    names = [label_of(trial.victim, data, index) for index in range(trial.victim.classes)]
    figure, written = draw(images, labels, found, defended, names), io.BytesIO()
    figure.savefig(written, format="png", metadata={"Software": None})
    path = plan.out / PICTURE
    replace_file(path, written.getvalue())
    return path


def attacked_images(
    model: nn.Module, images: Tensor, labels: Tensor, settings: Sequence[Setting], seed: int
) -> list[Shown]:
    """Attack images with each of several attacks.

    Args:
        model: the bare classifier, in eval mode.
        images: clean, (n, 3, h, w), RGB in [0, 1].
        labels: true classes, (n,).
        settings: the attacks.
        seed: of their chance.
    """
    made = [(one.name, one(model, images, labels, seed=seed)) for one in settings]
    return [Shown(name, outcome.images, outcome.fooled, _answers(model, outcome.images)) for name, outcome in made]


def draw(
    images: Tensor, labels: Tensor, found: Sequence[Shown], defended: nn.Module | None, names: Sequence[str]
) -> Figure:
    """Draw, for each image, a row of results, one of differences ten times as large on grey, and one of the defence's.

    Under a result stands what the bare classifier takes it for, under a defence's output what the defended one does.

    Args:
        images: clean, (n, 3, h, w), RGB in [0, 1].
        labels: their classes, (n,).
        found: of each attack.
        defended: the model whose defence's output is shown; None leaves that row out.
        names: of all classes.
    """
    defense = defended if isinstance(defended, Defended) else None
    rows = 3 if defense is not None else 2
    figure = Figure(figsize=(_INCH * (len(found) + 1), _INCH * rows * len(images) + 0.3), dpi=130, layout="constrained")
    FigureCanvasAgg(figure)
    places = figure.subplots(rows * len(images), len(found) + 1, squeeze=False)
    for place in places.flat:
        place.set_axis_off()
    columns = [("clean", images), *((one.name, one.images) for one in found)]
    for column, (name, batch) in enumerate(columns):
        places[0, column].set_title(name, fontsize=9)
        seen = None if defense is None else _defended(defense, batch)
        answers = labels if defense is None or seen is None else _answers(defense.classifier, seen)
        for number, image in enumerate(batch):
            line = places[rows * number : rows * (number + 1), column]
            line[0].imshow(_picture(image))
            said = found[column - 1].classes[number] if column else labels[number]
            _write_below(line[0], _short(names[int(said)]))
            if column:
                line[1].imshow(_picture(0.5 + _AMPLIFIED * (image - images[number])))
                if not found[column - 1].fooled[number]:
                    line[1].text(
                        0.5, 0.5, "not fooled", transform=line[1].transAxes, ha="center", va="center", fontsize=7
                    )
            if defense is not None and seen is not None:
                line[2].imshow(_picture(seen[number]))
                _write_below(line[2], _short(names[int(answers[number])]))
    titles = ("of the bare model", f"change x {_AMPLIFIED}", "as defended")
    for row in range(rows * len(images)):
        place, title = places[row, 0], titles[row % rows]
        place.text(-0.05, 0.5, title, transform=place.transAxes, ha="right", va="center", rotation=90, fontsize=6)
    return figure


def _write_below(place: Axes, name: str) -> None:
    place.text(0.5, -0.02, name, transform=place.transAxes, ha="center", va="top", fontsize=6)


def _short(name: str) -> str:
    """Return the first of a class's names, as ImageNet's have several, cut to what fits below a picture."""
    first = name.split(",", maxsplit=1)[0].strip()
    return first if len(first) <= _LETTERS else f"{first[: _LETTERS - 1]}…"


@torch.no_grad()
def _answers(model: nn.Module, images: Tensor) -> Tensor:
    answers: Tensor = model(images).argmax(1).cpu()
    return answers


@torch.no_grad()
def _defended(model: Defended, batch: Tensor) -> Tensor:
    model.reseed(0)
    return model.defense(batch, model.chance)


def _picture(image: Tensor) -> NDArray[np.float32]:
    return image.clamp(0, 1).permute(1, 2, 0).cpu().float().numpy()
