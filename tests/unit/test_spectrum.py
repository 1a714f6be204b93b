"""The low-pass of the frequency study."""

import pytest
import torch

from natadv.evaluation.spectrum import low_pass


def waves(cycles, side=32):
    line = torch.cos(2 * torch.pi * cycles * torch.arange(side) / side)
    return (0.5 + 0.3 * line).expand(1, 3, side, side)


def test_everything_is_left_at_one():
    images = torch.rand(3, 3, 15, 20, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(low_pass(images, 1.0), images, atol=1e-5)


@pytest.mark.parametrize(("radius", "left"), [(0.3, True), (0.15, False)])
def test_a_wave_passes_below_its_frequency_alone(radius, left):
    """Five cycles of 32 px are at 5 / 22.6 = 0.22 of the corner's distance."""
    spread = float(low_pass(waves(5), radius).std())
    assert spread == pytest.approx(float(waves(5).std()) if left else 0, rel=1e-4, abs=1e-4)


def test_the_energy_stays():
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    for radius in (0.1, 0.5):
        filtered = low_pass(images, radius)
        assert torch.allclose(filtered.square().sum((1, 2, 3)), images.square().sum((1, 2, 3)), rtol=1e-4)


def test_a_radius_outside_is_refused():
    with pytest.raises(ValueError, match="radius within"):
        low_pass(waves(1), 1.5)
