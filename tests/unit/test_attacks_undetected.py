"""The attack on a classifier and its detector, on linear ones whose thresholds of fooling are known."""

import pytest
import torch
from torch import Tensor

from natadv.attacks.pgd_margin import pgd_margin
from natadv.attacks.success import rounded
from natadv.attacks.undetected import undetected

LEVEL = 1 / 255
N = 4 * 4 * 3


class Halves:
    """A classifier of one half of the pixels and a detector of another; `shared` of the detector's lie in the first.

    The classifier is fooled where its half is brighter than 100 levels by more than `far` levels on average; the
    detector calls unless its half is darker than 100 levels by more than `low` levels on average.
    """

    def __init__(self, *, far: float, low: float, shared: float = 0.0) -> None:
        first = torch.zeros(3, 4, 4)
        first[:, :2] = 1 / (N / 2)
        self.first, self.second = first, shared * first + (1 - shared) * first.flip(1)
        self.far, self.low = far * LEVEL, low * LEVEL

    def classify(self, batch: Tensor) -> Tensor:
        ahead = ((batch - 100 * LEVEL) * self.first).sum((1, 2, 3)) - self.far
        return 100 * torch.stack([-ahead / 2, ahead / 2], 1)

    def detect(self, batch: Tensor) -> Tensor:
        return 100 * (((batch - 100 * LEVEL) * self.second).sum((1, 2, 3)) + self.low)


IMAGES, LABELS = rounded(torch.full((3, 3, 4, 4), 100 * LEVEL)), torch.zeros(3, dtype=torch.int64)


def attacked(halves: Halves, levels: float, **more: object) -> Tensor:
    return undetected(
        halves.classify,
        IMAGES,
        LABELS,
        detector=halves.detect,
        threshold=0.0,
        epsilon=levels * LEVEL,
        **{"steps": 12} | more,
    ).fooled  # type: ignore[arg-type]


def test_both_are_fooled_from_the_larger_of_their_budgets_on() -> None:
    """Halves apart: the classifier takes 4.5 levels up, the detector 6.5 down, so 7 are enough and 6 are not."""
    halves = Halves(far=4.5, low=6.5)
    assert attacked(halves, 7).all()
    assert not attacked(halves, 6).any()
    assert not attacked(Halves(far=6.5, low=4.5), 6).any()
    plain = pgd_margin(halves.classify, IMAGES, LABELS, epsilon=7 * LEVEL, steps=12)
    assert plain.fooled.all()
    assert (halves.detect(plain.images) > 0).all()  # who does not know the detector is detected


def test_where_the_detector_looks_at_the_same_pixels_the_budget_is_what_both_leave() -> None:
    """A quarter of it lies on the first half: 5 levels up there lift it by 1.25, 0.75 a level below lower it."""
    halves = Halves(far=4.5, low=3.0, shared=0.25)
    # 0.25 * 5 - 0.75 * e < -3 wants e above 5.67.
    assert attacked(halves, 6).all()
    assert not attacked(halves, 5).any()


@pytest.mark.parametrize("weights", [(), (1.0,)])
def test_each_way_alone_finds_it(weights: tuple[float, ...]) -> None:
    assert attacked(Halves(far=4.5, low=6.5), 7, weights=weights, steps=40).all()


def test_what_is_found_is_eight_bits_and_counted() -> None:
    halves = Halves(far=4.5, low=6.5)
    found = undetected(
        halves.classify, IMAGES, LABELS, detector=halves.detect, threshold=0.0, epsilon=7 * LEVEL, weights=(1,)
    )
    assert torch.equal(found.images, rounded(found.images))
    assert (halves.classify(found.images).argmax(1) == 1).all()
    assert (halves.detect(found.images) < 0).all()
    # Before, after, and two ways from two beginnings of forty steps and a last look.
    assert found.queries.tolist() == [1 + 1 + 2 * 2 * 41] * 3
    assert found.gradients.tolist() == [2 * (40 + 2 * 40)] * 3


def test_a_silent_detector_of_an_error_needs_no_attack() -> None:
    halves = Halves(far=-1.5, low=1.5)
    found = undetected(halves.classify, IMAGES, LABELS, detector=halves.detect, threshold=300.0, epsilon=LEVEL, steps=2)
    assert found.fooled.all()
    assert torch.equal(found.images, IMAGES)
    with pytest.raises(ValueError, match="one step or more"):
        undetected(halves.classify, IMAGES, LABELS, detector=halves.detect, threshold=0.0, steps=0)


class Quiet:
    """A classifier of brightness, and a detector that hears any roughness and knows no degrees of it.

    The classifier is fooled from 2.5 levels up on. The detector calls where the pixels differ by half a level, or lie
    more than 3.6 levels up, and is soon as sure as it can be: beyond that its gradient is zero throughout.
    """

    def classify(self, batch: Tensor) -> Tensor:
        ahead = batch.mean((1, 2, 3)) - 102.5 * LEVEL
        return 100 * torch.stack([-ahead / 2, ahead / 2], 1)

    def detect(self, batch: Tensor) -> Tensor:
        rough = (batch.square().mean((1, 2, 3)) - batch.mean((1, 2, 3)).square()) / (0.5 * LEVEL) ** 2
        bright = (batch.mean((1, 2, 3)) - 100 * LEVEL) / (3.6 * LEVEL)
        return (torch.maximum(rough, bright) - 1).clamp(max=0.2)


def test_a_detector_that_is_sure_of_all_noise_alike_is_no_wall() -> None:
    """From a random start nothing leads back; 3 levels up, all pixels alike, fool both."""
    quiet = Quiet()
    found = undetected(
        quiet.classify, IMAGES, LABELS, detector=quiet.detect, threshold=0.0, epsilon=8 * LEVEL, steps=20
    )
    assert found.fooled.all()
    assert torch.allclose(found.images, IMAGES + 3 * LEVEL)


def test_both_models_are_shown_eight_bits() -> None:
    shown = []

    def detect(batch: Tensor) -> Tensor:
        shown.append(batch.detach())
        return Halves(far=4.5, low=6.5).detect(batch)

    halves = Halves(far=4.5, low=6.5)
    undetected(halves.classify, IMAGES, LABELS, detector=detect, threshold=0.0, epsilon=7 * LEVEL, steps=3)
    assert len(shown) > 10
    assert all(torch.equal(batch, rounded(batch)) for batch in shown)
