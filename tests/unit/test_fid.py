"""Fréchet distances in closed form and beside torchmetrics'; RFID on features whose distances are known."""

import numpy as np
import pytest
import torch
from torch import nn
from torchmetrics.image.fid import FrechetInceptionDistance

from natadv.data.crops import Crops
from natadv.evaluation.fid import frechet_distance
from natadv.evaluation.rfid import rfid
from natadv.evaluation.rfid_controls import RenderedDrops, drop_free
from natadv.raindrops.drops import DropParameters
from natadv.raindrops.photograph import RandomGlass
from natadv.raindrops.presets import PRESETS, Wetness


def _features(count: int, length: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(length, length, generator=generator, dtype=torch.float64)
    return torch.randn(count, length, generator=generator, dtype=torch.float64) @ mixing


def _whitened(features: torch.Tensor) -> torch.Tensor:
    """Return samples of mean exactly 0 and covariance exactly 1."""
    centred = features - features.mean(0)
    return torch.linalg.qr(centred).Q * (len(features) - 1) ** 0.5


def test_two_gaussians_in_closed_form():
    white_a, white_b = _whitened(_features(60, 3, 0)), _whitened(_features(90, 3, 1))
    spread_a, spread_b = torch.tensor([1.0, 2.0, 0.5]), torch.tensor([3.0, 2.0, 0.0])
    shift = torch.tensor([1.0, -2.0, 0.5])
    expected = float(shift.square().sum() + (spread_a - spread_b).square().sum())
    assert frechet_distance(white_a * spread_a, white_b * spread_b + shift) == pytest.approx(expected, abs=1e-9)


def test_covariances_that_do_not_commute():
    white = _whitened(_features(50, 2, 0))
    root_a = torch.tensor([[2.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    root_b = torch.tensor([[1.0, 0.5], [0.5, 1.0]], dtype=torch.float64)
    product = root_a @ root_b @ root_b @ root_a
    trace = 2 * (product.trace() + 2 * product.det().sqrt()).sqrt()  # Tr of the root of a 2 × 2 matrix
    expected = float(root_a.square().sum() + root_b.square().sum() - trace)
    assert frechet_distance(white @ root_a, white @ root_b) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("count", [8, 200])
def test_a_set_is_at_distance_0_from_itself_in_any_order(count):
    features = _features(count, 20, 0)
    other = _features(count + 3, 20, 1)
    shuffled = features[torch.randperm(count, generator=torch.Generator().manual_seed(0))]
    assert frechet_distance(features, shuffled) == pytest.approx(0, abs=1e-6)
    assert frechet_distance(features, other) == pytest.approx(frechet_distance(shuffled, other), rel=1e-9)
    assert frechet_distance(features, other) == pytest.approx(frechet_distance(other, features), rel=1e-9)


@pytest.mark.parametrize("count", [10, 100])
def test_torchmetrics_finds_the_same(count):
    class Flat(nn.Module):
        num_features = 24

        def forward(self, batch: torch.Tensor) -> torch.Tensor:
            return batch.double().flatten(1) / 255

    generator = torch.Generator().manual_seed(0)
    real, fake = torch.randint(0, 256, (2, count, 6, 2, 2), dtype=torch.uint8, generator=generator)
    fake //= 2
    theirs = FrechetInceptionDistance(feature=Flat())
    theirs.update(real, real=True)
    theirs.update(fake, real=False)
    ours = frechet_distance(Flat()(real), Flat()(fake))
    assert ours == pytest.approx(float(theirs.compute()), rel=1e-4)


def test_wrong_features_are_refused():
    with pytest.raises(ValueError, match="two pictures or more"):
        frechet_distance(torch.zeros(1, 3), torch.zeros(5, 3))
    with pytest.raises(ValueError, match="finite"):
        frechet_distance(torch.full((5, 3), torch.nan), torch.zeros(5, 3))
    with pytest.raises(ValueError, match="one length"):
        frechet_distance(torch.zeros(5, 3), torch.zeros(5, 4))


class _MeanColour(nn.Module):
    """An extractor of three features."""

    name = "mean colour"
    num_features = 3

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3))

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        assert batch.dtype == torch.uint8
        return batch.float().mean((2, 3)) / 255 * self.weight


def _crops(photographs: int = 24, each: int = 3) -> Crops:
    rng = np.random.default_rng(0)
    clean = rng.integers(0, 100, (photographs * each, 16, 16, 3)).astype(np.uint8)
    names = tuple(f"p{index // each}" for index in range(len(clean)))
    return Crops(clean, clean + np.uint8(100), names)


def test_a_generator_as_good_as_the_real_thing_has_rfid_1():
    result = rfid(_crops(), lambda batch: batch + 100 / 255, _MeanColour(), splits=4)
    assert result.ratios == pytest.approx([1] * 4)
    assert result.mean == pytest.approx(1)
    assert result.spread == pytest.approx(0, abs=1e-9)
    assert (result.crops, result.photographs, result.extractor) == (72, 24, "mean colour")
    assert str(result) == "1.000 ± 0.000 (72 crops of 24 photographs)"


def test_no_drops_are_told_from_drops_on_the_same_splits():
    dry = rfid(_crops(), drop_free, _MeanColour(), splits=3, seed=7)
    half = rfid(_crops(), lambda batch: batch + 50 / 255, _MeanColour(), splits=3, seed=7)
    assert dry.real == half.real
    assert dry.mean > half.mean > 10
    assert dry.generated == pytest.approx([3 * (100 / 255) ** 2] * 3, rel=0.05)
    assert rfid(_crops(), drop_free, _MeanColour(), splits=3, seed=8).real != dry.real


def test_what_is_no_picture_and_too_few_photographs_are_refused():
    for wet in (lambda batch: batch + 1, lambda batch: batch[:1], lambda batch: batch * torch.nan):
        with pytest.raises(ValueError, match="expected pictures"):
            rfid(_crops(), wet, _MeanColour())
    with pytest.raises(ValueError, match="expected 4 photographs"):
        rfid(_crops(3), drop_free, _MeanColour())


def _glass(wetness: Wetness) -> RandomGlass:
    return RandomGlass((32, 32), np.random.default_rng(0), plates=1, wetness=[wetness])


def test_rendered_drops_are_a_control_like_any_generator():
    batch = torch.full((2, 3, 32, 32), 0.5)
    dry = Wetness(DropParameters(drops_per_mm2=0, mist_per_mm2=0, film_slope=0, film_haze=0))
    rounded = (batch * 255).round() / 255
    assert torch.equal(RenderedDrops(_glass(dry), seed=0)(batch), rounded)
    one, two = (RenderedDrops(_glass(PRESETS["close"]), seed=0)(batch) for _ in range(2))
    assert torch.equal(one, two)
    assert not torch.equal(one, rounded)
    assert not torch.equal(one[0], one[1])
