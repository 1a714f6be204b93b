"""Sizes of changes, success over the images that count, and controls that cover as much."""

import pytest
import torch

from natadv.attacks.outcome import Outcome
from natadv.evaluation.control import control
from natadv.evaluation.perturbation import perturbation
from natadv.evaluation.rates import Rate
from natadv.evaluation.success import is_right, success

GREY = torch.full((2, 3, 10, 10), 100 / 255)


class Stripes:
    """Blackens as many rows as the code says, from half of them on."""

    latent_dim = 1

    def __call__(self, images, z):
        rows = (5 + 2 * z[:, 0]).round().clamp(0, 10)
        covered = torch.arange(images.shape[2])[None, :] < rows[:, None]
        return torch.where(covered[:, None, :, None], 0.0, images)


def test_sizes_of_a_known_change():
    changed = GREY.clone()
    changed[0, 1, :2] += 51 / 255  # 20 pixels of 100, one colour of three
    changed[1] -= 8 / 255  # everywhere, but not visibly
    size = perturbation(GREY, changed)
    assert torch.allclose(size.mean, torch.tensor([0.2 * 0.2 / 3, 8 / 255]))
    assert torch.allclose(size.p95, torch.tensor([0.2, 8 / 255]))
    assert torch.allclose(size.coverage, torch.tensor([0.2, 0.0]))
    assert torch.allclose(size.l2, torch.tensor([0.2 * 20**0.5, 8 / 255 * 300**0.5]))
    assert torch.allclose(size.linf, torch.tensor([0.2, 8 / 255]))


def test_batches_of_different_shapes_are_refused():
    with pytest.raises(ValueError, match="one shape"):
        perturbation(GREY, GREY[:1])


def test_only_images_that_the_model_got_right_count():
    clean = torch.full((4, 3, 10, 10), 100 / 255)
    changed = clean.clone()
    changed[0] += 0.2
    changed[2] += 0.4
    outcome = Outcome(
        images=changed,
        fooled=torch.tensor([True, False, True, True]),
        queries=torch.tensor([3, 9, 6, 1]),
        gradients=torch.tensor([2, 8, 5, 0]),
    )
    found = success(outcome, clean, torch.tensor([True, True, True, False]))
    assert found.rate == Rate(2, 3)
    assert found.mean == pytest.approx(0.3)
    assert found.linf == pytest.approx(0.3)
    assert found.coverage == 1
    assert (found.queries, found.gradients) == (6, 5)


def test_an_attack_that_never_succeeds_has_no_sizes():
    none = torch.zeros(2, dtype=torch.int64)
    found = success(Outcome(GREY, none.bool(), none, none), GREY, torch.tensor([True, True]))
    assert found.rate == Rate(0, 2)
    assert found.mean != found.mean


def test_right_is_where_the_true_class_comes_first():
    def model(batch):
        brightness = batch.mean((1, 2, 3))
        return torch.stack([brightness, 1 - brightness], 1)

    images = torch.stack([torch.full((3, 4, 4), value) for value in (0.1, 0.9, 0.8)])
    right = is_right(model, images, torch.tensor([0, 0, 0]), batch_size=2)
    assert right.tolist() == [False, True, True]


def test_a_control_covers_as_much_and_repeats_itself():
    wanted = torch.tensor([0.2, 0.7])
    found = control(Stripes(), GREY, wanted, draws=40, rng=torch.Generator().manual_seed(0))
    assert torch.allclose(found.coverage, wanted)
    assert torch.allclose(perturbation(GREY, found.images).coverage, wanted)
    again = control(Stripes(), GREY, wanted, draws=40, rng=torch.Generator().manual_seed(0), batch_size=1)
    assert torch.equal(found.images, again.images)


def test_a_control_says_what_it_reached():
    found = control(Stripes(), GREY, torch.tensor([0.03, 0.97]), draws=1, rng=torch.Generator().manual_seed(0))
    assert (found.coverage - found.wanted).abs().min() > 0.05
    assert torch.allclose(perturbation(GREY, found.images).coverage, found.coverage)


@pytest.mark.parametrize(("draws", "coverage"), [(0, torch.zeros(2)), (3, torch.zeros(1))])
def test_senseless_controls_are_refused(draws, coverage):
    with pytest.raises(ValueError, match="expected"):
        control(Stripes(), GREY, coverage, draws=draws, rng=torch.Generator())
