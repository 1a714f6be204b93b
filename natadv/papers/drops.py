"""AdvRD in a table: the raindrops, their attack, and their control on one trial."""

from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from natadv.attacks.advrd import advrd
from natadv.attacks.advrd_black_box import advrd_black_box
from natadv.attacks.behind_drops import behind_drops
from natadv.attacks.outcome import Outcome
from natadv.attacks.starts import natural_codes
from natadv.attacks.success import rounded
from natadv.evaluation.control import Control, control
from natadv.evaluation.perturbation import perturbation
from natadv.evaluation.rates import KinRate
from natadv.evaluation.success import is_right, success
from natadv.models.generator import Generator
from natadv.training.generators import check_generator, described, open_generator
from natadv.training.trial import Trial

Box = Literal["white", "black"]

_DRAWS = 16
"""Codes that a control chooses from."""


@dataclass(frozen=True)
class DropAttack:
    """Which raindrops attack, and how.

    Attributes:
        generator: as `natadv.training.generators` reads it.
        restarts: N, codes that an image is tried with.
        steps: T, checks of one of them in the white box.
        step_size: alpha of Eq. 13.
        seed: of all codes; an image meets the same ones whatever model is attacked.
        batch_size: images at once.
    """

    generator: str
    restarts: int
    steps: int
    step_size: float
    seed: int
    batch_size: int

    def __post_init__(self) -> None:
        """Refuse what would be found missing only when other attacks are done.

        Raises:
            ConfigError: if there is no such preset or checkpoint.
        """
        check_generator(self.generator)

    def setting(self, box: Box) -> dict[str, object]:
        """Return the parts of a number's setting."""
        return {
            "generator": described(self.generator),
            "box": box,
            "N": self.restarts,
            "T": self.steps if box == "white" else None,
            "step_size": self.step_size if box == "white" else None,
        }

    def on(self, size: tuple[int, int], device: str) -> Generator:
        """Return the generator for images of a size, (height, width); DataError if its file cannot be read."""
        return open_generator(self.generator, size).generator.to(device)

    def fool(self, trial: Trial, generator: Generator, box: Box, *, restarts: int | None = None) -> Outcome:
        """Attack a trial's images, following gradients in a white box, with other than the usual N if asked for."""
        count = self.restarts if restarts is None else restarts
        starts = natural_codes(trial.numbers, count, generator.latent_dim, seed=self.seed).to(trial.images)
        attack = partial(advrd, steps=self.steps, step_size=self.step_size) if box == "white" else advrd_black_box
        return attack(
            trial.victim.model,
            trial.images,
            trial.labels,
            generator=generator,
            starts=starts,
            batch_size=self.batch_size,
        )

    def unchosen(self, trial: Trial, generator: Generator, outcome: Outcome) -> tuple[KinRate, Control]:
        """Return how often drops fool that cover as much as the attack's and that nobody optimised.

        An image that withstood the attack counts too, with the coverage of the last drops that were tried.
        """
        coverage = covered(trial.images, generator, outcome, self.batch_size)
        rng = torch.Generator().manual_seed(self.seed + 1)
        found = control(generator, trial.images, coverage, draws=_DRAWS, rng=rng, batch_size=self.batch_size)
        right = is_right(trial.victim.model, found.images, trial.labels, batch_size=self.batch_size)
        return trial.rate(~right), found


def size_of(outcome: Outcome, trial: Trial) -> dict[str, object]:
    """Return how much the images that fool were changed, as parts of a number's setting; nothing if none does."""
    found = success(outcome, trial.images, torch.ones_like(outcome.fooled))
    if not found.rate.hits:
        return {}
    change = f"{255 * found.mean:.1f}/255 in the mean, {255 * found.p95:.0f}/255 at its 95th percentile"
    return {"change": change, "covered": f"{100 * found.coverage:.1f} %"}


def size_of_control(found: Control) -> dict[str, object]:
    """Return how much a control covers, and should, as parts of a number's setting."""
    return {"covered": f"{100 * found.coverage.mean():.1f} % for {100 * found.wanted.mean():.1f} %"}


@torch.no_grad()
def covered(images: Tensor, generator: Generator, outcome: Outcome, batch_size: int) -> Tensor:
    """Return the share of each image, (n,), that the drops of an outcome's codes cover, fooled or not.

    Raises:
        ValueError: if the attack had no codes.
    """
    if outcome.latents is None:
        raise ValueError("expected the outcome of an attack through codes")
    return torch.cat(
        [
            perturbation(some, rounded(behind_drops(generator, some, codes))).coverage
            for some, codes in zip(images.split(batch_size), outcome.latents.split(batch_size), strict=True)
        ]
    )
