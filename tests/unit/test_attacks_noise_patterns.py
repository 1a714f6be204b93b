"""NI+ and NI-: noise patterns of images whose own are known, and the search from small to large scales."""

import pytest
import torch

from natadv.attacks.noise_patterns import FILTERS, KERNELS, noise_minus, noise_of, noise_plus

ZEROS = torch.zeros(2, dtype=torch.int64)
LEVEL = 1 / 255


@pytest.fixture
def edge():
    """A step from 100 to 140 levels, and one from 100 to 120."""
    images = torch.full((2, 3, 12, 12), 100 / 255)
    images[0, :, :, 6:] = 140 / 255
    images[1, :, :, 6:] = 120 / 255
    return images


def steepness(levels):
    """Return a model that errs where an image's values range over more levels than this."""

    def model(batch):
        excess = (batch.amax((1, 2, 3)) - batch.amin((1, 2, 3))) * 255 - levels
        return torch.stack([0 * excess, excess], 1)

    return model


@pytest.mark.parametrize("name", FILTERS)
def test_filters_smooth_and_a_flat_image_has_no_noise(name):
    kernel = KERNELS[name]
    assert kernel.sum() == pytest.approx(1)
    assert torch.equal(kernel, kernel.T)
    flat = torch.rand(2, 3, 1, 1, generator=torch.Generator().manual_seed(0)).expand(2, 3, 9, 7)
    assert noise_of(flat, name).abs().max() < 1e-6


@pytest.mark.parametrize(("name", "share"), [("gaussian", 11 / 16), ("laplacian", 3 / 4), ("integral", 3 / 5)])
def test_the_noise_of_an_edge_is_what_the_filter_takes_from_it(edge, name, share):
    """Beside a step, the share of the kernel on the pixel's own side stays, and the rest pulls it over."""
    noise = noise_of(edge, name)[0, 0, 5] * 255
    assert noise[6].item() == pytest.approx(40 * (1 - share), abs=1e-3)
    assert noise[5].item() == pytest.approx(-40 * (1 - share), abs=1e-3)
    assert noise[[0, 1, 2, 9, 10, 11]].abs().max() < 1e-3


def test_each_channel_has_its_own_noise():
    image = torch.full((1, 3, 9, 9), 0.5)
    image[0, 1, 4, 4] = 1.0
    noise = noise_of(image, "laplacian")
    assert not noise[0, [0, 2]].any()
    assert noise[0, 1, 4, 4] == 0.5
    assert noise[0, 1, 4, 5] == -0.125


@pytest.mark.parametrize("attack", [noise_plus, noise_minus])
def test_on_flat_images_nothing_fools(attack):
    images = torch.full((2, 3, 9, 9), 100 / 255)

    def touchy(batch):
        changed = (batch - images[: len(batch)]).abs().amax((1, 2, 3))
        return torch.stack([0 * changed + 0.1 * LEVEL, changed], 1)

    outcome = attack(touchy, images, ZEROS)
    assert not outcome.fooled.any()
    assert torch.equal(outcome.images, images)


def test_plus_sharpens(edge):
    """The mean of 5x5 takes two fifths of the step on each side, so once its noise makes 40 levels 72, 20 levels 36."""
    outcome = noise_plus(steepness(60), edge, ZEROS, filters=["integral"], scales=[1.0])
    assert outcome.fooled.tolist() == [True, False]
    row = outcome.images[0, 0, 5] * 255
    assert row[5].item() == pytest.approx(84, abs=1e-3)
    assert row[6].item() == pytest.approx(156, abs=1e-3)
    assert torch.equal(outcome.images[1], edge[1])


def test_minus_smooths(edge):
    """Its noise taken away once leaves what the filter made: a slope, and the range as it was."""

    def model(batch):
        jump = (batch.diff(dim=-1).abs().amax((1, 2, 3))) * 255
        return torch.stack([jump, 0 * jump + 9], 1)

    outcome = noise_minus(model, edge[:1], ZEROS[:1], filters=["integral"], scales=[1.0])
    assert outcome.fooled.all()
    row = (outcome.images[0, 0, 5] * 255).round().tolist()
    assert row == [100, 100, 100, 100, 108, 116, 124, 132, 140, 140, 140, 140]


def test_the_smallest_scale_that_fools_is_found_and_counted(edge):
    """Scale by scale, filter by filter: 40 levels become 40 + 80 * scale * share of the kernel on the other side."""
    scales = (4.0, 0.5, 1.0)  # in any order
    outcome = noise_plus(steepness(71), edge, ZEROS, scales=scales)
    assert outcome.fooled.tolist() == [True, True]
    assert outcome.queries.tolist() == [2 + 6, 2 + 9]
    assert ((outcome.images[0].amax() - outcome.images[0].amin()) * 255).item() == pytest.approx(72, abs=1e-3)
    assert not outcome.gradients.any()


def test_a_budget_cuts_the_noise(edge):
    outcome = noise_plus(steepness(50), edge, ZEROS, epsilon=8 * LEVEL, scales=[4.0])
    assert outcome.fooled.tolist() == [True, False]
    assert torch.allclose((outcome.images[0] - edge[0]).abs().max(), torch.tensor(8 * LEVEL))
    hopeless = noise_plus(steepness(60), edge, ZEROS, epsilon=8 * LEVEL, scales=[4.0])
    assert not hopeless.fooled.any()


def test_batches_change_nothing(edge):
    whole = noise_plus(steepness(50), edge, ZEROS)
    apart = noise_plus(steepness(50), edge, ZEROS, batch_size=1)
    assert torch.equal(whole.images, apart.images)
    assert torch.equal(whole.queries, apart.queries)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"filters": ()}, "expected filters"),
        ({"filters": ["median"]}, "expected filters"),
        ({"scales": ()}, "expected positive scales"),
        ({"scales": [1.0, 0.0]}, "expected positive scales"),
        ({"epsilon": 0.0}, "positive budget"),
    ],
)
@pytest.mark.parametrize("attack", [noise_plus, noise_minus])
def test_senseless_arguments_are_refused(attack, edge, wrong, message):
    with pytest.raises(ValueError, match=message):
        attack(steepness(50), edge, ZEROS, **wrong)
