"""The colour shift: HSV as matplotlib has it, and the search on models that look at one channel."""

import numpy as np
import pytest
import torch
from matplotlib.colors import hsv_to_rgb as reference_rgb
from matplotlib.colors import rgb_to_hsv as reference_hsv

from natadv.attacks.hsv import hsv_to_rgb, rgb_to_hsv
from natadv.attacks.hsv_shift import hsv_shift, shifted, shifts_of

ZEROS = torch.zeros(6, dtype=torch.int64)


def colours():
    """Return 4096 random colours and all corners and greys as one image, (1, 3, 64, 66)."""
    rng = torch.Generator().manual_seed(0)
    levels = torch.randint(0, 256, (3, 64, 64), generator=rng)
    corners = torch.cartesian_prod(*[torch.tensor([0, 255])] * 3).T.repeat(1, 8).reshape(3, 64, 1)
    greys = (torch.arange(64) * 4).expand(3, 64)[..., None]
    return torch.cat([levels, corners, greys], 2)[None] / 255


@pytest.fixture
def images():
    return torch.randint(0, 256, (6, 3, 8, 8), generator=torch.Generator().manual_seed(1)) / 255


def wants_red(batch):
    """Say class 0 where there is more red than green, else class 1."""
    red, green, _ = batch.mean((2, 3)).unbind(1)
    return torch.stack([red, green], 1)


def test_both_ways_are_as_in_matplotlib():
    image = colours()
    channels_last = image[0].permute(1, 2, 0).double().numpy()
    hsv = rgb_to_hsv(image.double())[0].permute(1, 2, 0).numpy()
    assert np.allclose(hsv, reference_hsv(channels_last), atol=1e-6)
    turned = np.stack([(hsv[..., 0] + 0.37) % 1, hsv[..., 1], hsv[..., 2]], -1)
    ours = hsv_to_rgb(torch.from_numpy(turned).permute(2, 0, 1)[None])[0].permute(1, 2, 0).numpy()
    assert np.allclose(ours, reference_rgb(turned), atol=1e-6)


def test_there_and_back_is_exact_in_eight_bits():
    image = colours()
    assert torch.equal((hsv_to_rgb(rgb_to_hsv(image)) * 255).round(), (image * 255).round())


def test_primary_colours_go_round():
    red = torch.tensor([1.0, 0, 0])[None, :, None, None]
    assert torch.equal(rgb_to_hsv(red).flatten(), torch.tensor([0.0, 1.0, 1.0]))
    for thirds, expected in ((1, [0.0, 1.0, 0.0]), (2, [0.0, 0.0, 1.0]), (3, [1.0, 0.0, 0.0])):
        assert torch.equal(
            shifted(rgb_to_hsv(red), torch.tensor([[thirds / 3, 0.0]])).flatten(), torch.tensor(expected)
        )
    assert torch.equal(shifted(rgb_to_hsv(red), torch.tensor([[0.0, -1.0]])), torch.ones(1, 3, 1, 1))


def test_value_stays_whatever_the_shift(images):
    hsv = rgb_to_hsv(images)
    for shifts in (torch.tensor([0.3, 0.9]), torch.tensor([0.8, -0.4])):
        found = shifted(hsv, shifts.expand(6, 2))
        assert torch.allclose(found.amax(1), images.amax(1), atol=1e-6)
        assert not torch.equal(found, images)


def test_red_images_turn_until_another_channel_leads():
    """Pure red is red in a third of the hues alone, so two of three first trials fool; all stay as bright."""
    batch = torch.zeros(60, 3, 4, 4)
    batch[:, 0] = torch.arange(100, 160)[:, None, None] / 255

    def model(tried):
        red, green, blue = tried.mean((2, 3)).unbind(1)
        return torch.stack([red, torch.maximum(green, blue) - 0.01], 1)

    outcome = hsv_shift(model, batch, torch.zeros(60, dtype=torch.int64))
    assert outcome.fooled.all()
    assert torch.allclose(outcome.images.amax(1), batch.amax(1), atol=1e-6)
    first = (outcome.queries == 3).float().mean()
    assert 0.5 < first < 0.8
    assert not outcome.gradients.any()


def test_saturation_reaches_further_from_trial_to_trial(images):
    shifts = torch.stack([shifts_of(image, 400, 0) for image in images])
    assert (shifts[:, 0, 1] == 0).all()
    assert (shifts[..., 1].abs() <= torch.arange(400) / 400).all()
    assert shifts[:, 300:, 1].abs().max() > 0.9
    assert shifts[..., 1].mean().abs() < 0.05
    assert shifts[..., 0].min() >= 0
    assert torch.allclose(shifts[..., 0].mean(), torch.tensor(0.5, dtype=torch.float64), atol=0.03)


def test_the_first_trial_that_fools_is_kept_and_nothing_is_asked_after_it(images):
    """Against the same search by hand, of one image at a time."""
    labels = wants_red(images).argmax(1)
    outcome = hsv_shift(wants_red, images, labels, trials=50, seed=3)
    assert outcome.fooled.any()
    for image, label, found, queries in zip(images, labels, outcome.images, outcome.queries, strict=True):
        shifts = shifts_of(image, 50, 3).float()
        tries = shifted(rgb_to_hsv(image[None]).expand(50, -1, -1, -1), shifts)
        scores = wants_red(tries)
        fooled = (scores[:, 1] - scores[:, 0]) * (1 - 2 * label) > 1e-4
        first = int(fooled.nonzero()[0])
        assert torch.equal(found, tries[first])
        assert queries == first + 3


def test_an_image_meets_the_same_shifts_in_any_company(images):
    labels = wants_red(images).argmax(1)
    whole = hsv_shift(wants_red, images, labels, trials=20)
    apart = hsv_shift(wants_red, images, labels, trials=20, batch_size=4)
    alone = hsv_shift(wants_red, images[3:4], labels[3:4], trials=20)
    assert torch.equal(whole.images, apart.images)
    assert torch.equal(whole.queries, apart.queries)
    assert torch.equal(whole.images[3:4], alone.images)
    other = hsv_shift(wants_red, images, labels, trials=20, seed=1)
    assert not torch.equal(whole.images, other.images)
    assert len({tuple(shifts_of(image, 2, 0).flatten().tolist()) for image in images}) == len(images)


def test_a_model_that_sees_value_alone_is_never_fooled(images):
    def model(batch):
        value = batch.amax(1).mean((1, 2))
        return torch.stack([value, 0 * value], 1)

    outcome = hsv_shift(model, images, ZEROS, trials=30)
    assert not outcome.fooled.any()
    assert torch.equal(outcome.images, images)
    assert outcome.queries.tolist() == [32] * 6


def test_no_trials_are_refused(images):
    with pytest.raises(ValueError, match="expected trials of at least 1, got 0"):
        hsv_shift(wants_red, images, ZEROS, trials=0)
