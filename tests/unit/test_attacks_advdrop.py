"""AdvDrop: the transform, what quantisation may do, and the attack on models that read one coefficient."""

import cv2
import numpy as np
import pytest
import torch

from natadv.attacks.advdrop import advdrop, advdrop_with_tables, drop, quantised, softly_rounded
from natadv.attacks.block_dct import coefficients_of, images_of

SIDE = 16
ZEROS = torch.zeros(2, dtype=torch.int64)
STEADY = {"epsilon": 200, "step_size": 1.0}
"""Bounds that grow by 8 levels a step and tables that follow by 7 or more, whatever the gradient says: between 2 / 3
and twice a coefficient's size, a coarser step shows it larger, and a gradient alone would not get past that."""


@pytest.fixture
def noise():
    return torch.randint(0, 256, (2, 3, SIDE, SIDE), generator=torch.Generator().manual_seed(1)) / 255


@pytest.fixture
def stripes():
    """Grey images with one wave alone: coefficient (0, 3) of every block is 80 and 40 levels."""
    coefficients = torch.zeros(2, 3, 2, 2, 8, 8)
    coefficients[0, ..., 0, 3] = 80
    coefficients[1, ..., 0, 3] = 40
    return images_of(coefficients, (SIDE, SIDE)).round() / 255


def reader(row, column, least):
    """Return a model that errs where a coefficient's mean size falls below `least` levels."""

    def model(batch):
        strength = coefficients_of(batch * 255)[..., row, column].abs().mean((1, 2, 3)) / 10
        return torch.stack([strength, torch.full_like(strength, least / 10)], 1)

    return model


@pytest.mark.parametrize("size", [(16, 16), (13, 21), (8, 1), (224, 3)])
def test_the_transform_is_undone_at_any_size(size):
    images = 255 * torch.rand(2, 3, *size, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(images_of(coefficients_of(images), size), images)


def test_the_transform_keeps_length_and_knows_a_cosine():
    images = 255 * torch.rand(1, 1, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(coefficients_of(images).square().sum(), (images - 128).square().sum())
    wave = torch.cos((torch.arange(8, dtype=torch.float64) + 0.5) * 3 * torch.pi / 8).expand(1, 1, 8, 8)
    expected = torch.zeros(1, 1, 1, 1, 8, 8, dtype=torch.float64)
    expected[..., 0, 3] = 32**0.5
    assert torch.allclose(coefficients_of(wave + 128), expected, atol=1e-9)


def test_the_transform_is_opencvs(noise):
    levels = (noise * 255)[0, 0, 8:, :8]
    ours = coefficients_of(noise * 255)[0, 0, 1, 0]
    assert np.allclose(ours.numpy(), cv2.dct(levels.numpy() - 128), atol=1e-3)


def test_a_small_image_is_extended_by_its_edge():
    flat = torch.full((1, 1, 3, 10), 200.0)
    coefficients = coefficients_of(flat)
    assert torch.allclose(coefficients[..., 0, 0], torch.tensor(8 * 72.0))
    assert coefficients.flatten(4)[..., 1:].abs().max() < 1e-3


def test_wrong_shapes_are_refused():
    with pytest.raises(ValueError, match="expected images"):
        coefficients_of(torch.zeros(3, 8, 8))
    with pytest.raises(ValueError, match="expected \\(n, c, 2, 1, 8, 8\\)"):
        images_of(torch.zeros(1, 1, 1, 1, 8, 8), (9, 8))


def test_quantised_coefficients_are_the_nearest_multiples():
    rng = torch.Generator().manual_seed(2)
    coefficients = 400 * torch.rand(1, 3, 2, 2, 8, 8, generator=rng) - 200
    tables = 1 + 60 * torch.rand(coefficients.shape, generator=rng)
    left = quantised(coefficients, tables)
    multiples = left / tables
    assert torch.allclose(multiples, multiples.round(), atol=1e-4)
    assert ((left - coefficients).abs() <= tables / 2 + 1e-4).all()
    assert (left.abs() <= coefficients.abs() + tables / 2 + 1e-4).all()
    assert torch.equal(quantised(coefficients, torch.zeros_like(tables)), coefficients)


@pytest.mark.parametrize("step", [0.0, 0.12])
def test_tables_of_nothing_and_of_less_than_an_eighth_give_the_image_back(noise, step):
    """Errors of half a step in 64 coefficients add up to four steps at most."""
    assert torch.equal(drop(noise, torch.full((2, 3, 2, 2, 8, 8), step)), noise)


def test_a_step_of_one_level_changes_values_by_a_level_or_two(noise):
    change = (drop(noise, torch.ones(2, 3, 2, 2, 8, 8)) - noise).abs() * 255
    assert 0 < change.max() <= 2.01
    assert change.mean() < 0.2


def test_soft_rounding_goes_from_a_ramp_to_steps():
    values = torch.tensor([-1.0, -0.75, 0.0, 0.25, 0.5, 0.75, 3.0], dtype=torch.float64)
    assert torch.allclose(softly_rounded(values, 0.999), values, atol=1e-3)
    hard = torch.tensor([-1.0, -1.0, 0.0, 0.0, 0.5, 1.0, 3.0], dtype=torch.float64)
    assert torch.allclose(softly_rounded(values, 1e-9), hard, atol=1e-4)


def test_files_shrink_as_tables_grow():
    """On slopes with texture, like a photograph's; a table much finer than the texture saves nothing."""
    rng = torch.Generator().manual_seed(3)
    slope = torch.linspace(40, 200, 64)[:, None] + 20 * torch.sin(torch.arange(64) / 9)
    image = (slope + 12 * torch.randn(1, 3, 64, 64, generator=rng)).clamp(0, 255).round() / 255
    sizes = {".png": [], ".jpg": []}
    for step in (0, 60, 100):
        shown = drop(image, torch.full((1, 3, 8, 8, 8, 8), float(step)))[0]
        pixels = np.ascontiguousarray((shown * 255).round().byte().permute(1, 2, 0).numpy())
        for ending, found in sizes.items():
            found.append(len(cv2.imencode(ending, pixels)[1]))
    for found in sizes.values():
        assert found[0] > 1.1 * found[1] > 1.1 * 1.1 * found[2]


@pytest.mark.parametrize("growth", [0.0, 0.5])
def test_the_coefficient_that_the_model_reads_is_dropped(stripes, growth):
    outcome, tables = advdrop_with_tables(reader(0, 3, 10.0), stripes, ZEROS, **STEADY | {"growth": growth})
    assert outcome.fooled.all()
    assert coefficients_of(outcome.images * 255)[..., 0, 3].abs().max() < 2
    assert torch.equal(drop(stripes, tables), outcome.images)


def test_growing_bounds_end_at_about_the_smallest_that_do(stripes):
    """A coefficient of 40 falls to 0 where the step is more than 80, one of 80 where it is more than 160."""
    _, tables = advdrop_with_tables(reader(0, 3, 10.0), stripes, ZEROS, **STEADY)
    for table, coefficient in zip(tables, (80, 40), strict=True):
        assert (table[..., 0, 3] > 2 * coefficient - 1).all()
        assert (table[..., 0, 3] < 2 * coefficient + 8.01).all()


def test_gradients_lead_to_where_a_coefficient_is_shown_smallest(stripes):
    """From a step of 101, which shows 80 as 101, down to one that shows it as itself and below what the model wants."""
    options = {"epsilon": 100, "growth": 0.0, "step_size": 2.0}
    outcome, tables = advdrop_with_tables(reader(0, 3, 72.0), stripes[:1], ZEROS[:1], **options)
    assert outcome.fooled.all()
    assert outcome.gradients.item() == 15
    assert tables[..., 0, 3].unique().tolist() == [71.0]


def test_a_target_is_reached(stripes):
    def model(batch):
        strength = coefficients_of(batch * 255)[..., 0, 3].abs().mean((1, 2, 3)) / 10
        return torch.stack([strength, torch.full_like(strength, 1.0), torch.full_like(strength, 0.5)], 1)

    hopeless = advdrop(model, stripes, ZEROS, **STEADY, targets=ZEROS + 2)
    assert not hopeless.fooled.any()
    reached = advdrop(model, stripes, ZEROS, **STEADY, targets=ZEROS + 1)
    assert reached.fooled.all()
    assert (model(reached.images).argmax(1) == 1).all()


def test_gradients_lead_to_a_target(stripes):
    model, options = reader(0, 3, 72.0), {"epsilon": 100, "growth": 0.0, "step_size": 2.0}
    outcome = advdrop(model, stripes[:1], ZEROS[:1], targets=ZEROS[:1] + 1, **options)
    assert outcome.fooled.all()
    assert outcome.gradients.item() == 15


def test_tables_stay_in_the_budget_and_are_zero_where_nothing_was_found(noise):
    weights = torch.randn(3, SIDE, SIDE, generator=torch.Generator().manual_seed(4))

    def model(batch):
        score = ((batch - noise[:1]) * weights).sum((1, 2, 3)) + torch.tensor([-1.5, -99.0])[: len(batch)]
        return torch.stack([0.5 - score, score - 0.5], 1)

    outcome, tables = advdrop_with_tables(model, noise, ZEROS, epsilon=9, smallest=2, growth=0.5)
    assert outcome.fooled.tolist() == [True, False]
    assert outcome.gradients[0] > 10
    assert tables[0].min() >= 2
    assert tables[0].max() <= 2 + 9 * (outcome.gradients[0] + 1) / 25 + 1e-4
    assert tables[0].unique().numel() > 1
    assert not tables[1].any()
    assert torch.equal(drop(noise, tables), outcome.images)


def test_who_is_wrong_already_has_no_tables_and_who_is_done_pays_no_more(stripes):
    images = torch.cat([torch.full_like(stripes[:1], 128 / 255), stripes])
    labels = torch.zeros(3, dtype=torch.int64)
    outcome, tables = advdrop_with_tables(reader(0, 3, 10.0), images, labels, **STEADY, batch_size=2)
    assert outcome.fooled.all()
    assert not tables[0].any()
    assert outcome.queries[0] == 1
    assert outcome.gradients[0] == 0
    assert outcome.queries[1] > outcome.queries[2] > 2
    together = advdrop(reader(0, 3, 10.0), images, labels, **STEADY)
    assert torch.equal(together.queries, outcome.queries)
    assert torch.equal(together.images, outcome.images)


@pytest.mark.parametrize(("growth", "passes"), [(0.0, 7), (0.5, 14)])
def test_passes_are_one_a_step_of_each_start_and_two_looks(stripes, growth, passes):
    outcome = advdrop(reader(0, 3, 10.0), stripes, ZEROS, epsilon=5, steps=7, growth=growth)
    assert not outcome.fooled.any()
    assert outcome.queries.tolist() == [2 + passes] * 2
    assert outcome.gradients.tolist() == [passes] * 2


def test_with_the_whole_budget_an_image_fools_by_the_most_that_its_tables_came_to(stripes):
    """A step of 101 shows 80 as 101, one of 71 as 71, which fools first, and finer ones as less still."""
    options = {"epsilon": 100, "growth": 0.0, "step_size": 2.0, "whole_budget": True}
    outcome, tables = advdrop_with_tables(reader(0, 3, 72.0), stripes[:1], ZEROS[:1], **options)
    assert outcome.fooled.all()
    assert outcome.gradients.item() == 50
    assert tables[..., 0, 3].unique().numel() == 1
    assert 55 <= tables[0, 0, 0, 0, 0, 3] < 71
    assert torch.equal(drop(stripes[:1], tables), outcome.images)


def test_what_growing_tables_do_not_fool_the_largest_do(stripes):
    """A step of 101 shows 80 as 101, and the slope there leads to finer ones; one of 201 drops it."""
    options = {"epsilon": 200, "growth": 1.0, "steps": 2, "step_size": 150.0}
    outcome, tables = advdrop_with_tables(reader(0, 3, 10.0), stripes[:1], ZEROS[:1], **options)
    assert outcome.fooled.all()
    assert outcome.gradients.item() == 2
    assert (tables[..., 0, 3] == 201).all()
    assert torch.equal(drop(stripes[:1], tables), outcome.images)


def test_by_transfer_the_model_is_looked_at_twice(stripes):
    outcome = advdrop(reader(0, 3, 10.0), stripes, ZEROS, epsilon=200, growth=0.0, surrogate=reader(0, 3, 8.0))
    assert outcome.fooled.all()
    assert outcome.queries.tolist() == [2, 2]
    assert outcome.gradients.tolist() == [0, 0]


def test_by_transfer_a_randomised_model_is_looked_at_once(stripes):
    class Moody(torch.nn.Module):
        randomised = True

        def forward(self, batch):
            return reader(0, 3, 10.0)(batch)

    found, tables = advdrop_with_tables(
        Moody().eval(), stripes, ZEROS, epsilon=200, growth=0.0, surrogate=reader(0, 3, 8.0)
    )
    assert found.fooled.all()
    assert found.queries.tolist() == [1, 1]
    assert torch.equal(drop(stripes, tables), found.images)


def test_a_model_without_slope_and_a_random_one_break_nothing(stripes):
    def flat(batch):
        return torch.stack([batch.sum((1, 2, 3)) * 0 + 1, batch.sum((1, 2, 3)) * 0], 1)

    assert not advdrop(flat, stripes, ZEROS, steps=5).fooled.any()
    chance = torch.Generator().manual_seed(0)

    def moody(batch):
        return batch.sum((1, 2, 3))[:, None] * 0 + torch.randn(len(batch), 2, generator=chance)

    images = stripes[:1].expand(20, -1, -1, -1)
    outcome, tables = advdrop_with_tables(moody, images, torch.zeros(20, dtype=torch.int64), steps=3)
    assert tables.flatten(1).any(1)[~outcome.fooled].sum() == 0


@pytest.mark.parametrize("wrong", [{"epsilon": 0}, {"smallest": 0}, {"steps": 0}, {"step_size": -1.0}, {"growth": 1.1}])
def test_senseless_arguments_are_refused(stripes, wrong):
    with pytest.raises(ValueError, match="expected"):
        advdrop(reader(0, 3, 10.0), stripes, ZEROS, **wrong)
