"""Wavelet shrinkage of batches, held against scikit-image's of one image."""

import numpy as np
import pytest
import torch
from skimage.restoration import denoise_wavelet

from natadv.defenses.wavelet_shrinkage import bayes_shrink


def pictures(h, w):
    """Noise of several strengths, a picture of one colour and a slope."""
    chance = torch.Generator().manual_seed(h * w)
    batch = torch.rand(6, 3, h, w, generator=chance) * torch.linspace(0.05, 1, 6)[:, None, None, None]
    batch[1] = 0.3
    batch[2] = torch.linspace(0, 1, w)
    return batch


@pytest.mark.parametrize("size", [(64, 64), (33, 70), (45, 46), (8, 9), (2, 5)])
@pytest.mark.parametrize("sigma", [0.01, 0.04, 0.3])
def test_it_is_what_scikit_image_makes_of_each_picture(size, sigma):
    batch = pictures(*size)
    theirs = [
        denoise_wavelet(
            image, sigma=sigma, mode="soft", method="BayesShrink", convert2ycbcr=True, channel_axis=-1
        ).clip(0, 1)
        for image in batch.double().permute(0, 2, 3, 1).numpy()
    ]
    ours = bayes_shrink(batch.double(), sigma).permute(0, 2, 3, 1)
    np.testing.assert_allclose(ours.numpy(), np.stack(theirs), atol=1e-9)
    np.testing.assert_allclose(bayes_shrink(batch, sigma).permute(0, 2, 3, 1).numpy(), np.stack(theirs), atol=5e-6)


def test_a_picture_does_not_depend_on_its_neighbours():
    batch = pictures(32, 40)
    alone = torch.cat([bayes_shrink(picture[None], 0.04) for picture in batch])
    torch.testing.assert_close(bayes_shrink(batch, 0.04), alone)


def test_no_pictures_give_none():
    assert bayes_shrink(torch.rand(0, 3, 8, 8), 0.04).shape == (0, 3, 8, 8)
