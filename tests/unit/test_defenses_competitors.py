"""Resizing and padding, pixel deflection, and feature denoising."""

import pytest
import torch
from torch import Generator

from natadv.defenses.pixel_deflection import PixelDeflection
from natadv.defenses.resize_pad import ResizePad
from natadv.models.classifier import create_classifier
from natadv.models.denoising import Denoising


def chance(seed=0):
    return Generator().manual_seed(seed)


def test_a_picture_is_put_whole_on_a_larger_black_one():
    batch = torch.full((40, 3, 299, 299), 0.5)
    made = ResizePad()(batch, chance())
    assert made.shape == (40, 3, 331, 331)
    sides, tops = set(), set()
    for picture in made:
        lit = picture[0] > 0
        rows, columns = lit.any(1).nonzero(), lit.any(0).nonzero()
        height, width = (int(places[-1] - places[0]) + 1 for places in (rows, columns))
        assert height == width
        assert lit[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
        sides.add(height)
        tops.add(int(rows[0]))
    assert min(sides) >= 310
    assert max(sides) <= 330
    assert len(sides) > 5
    assert len(tops) > 5
    assert set(made.unique().tolist()) == {0.0, 0.5}


def test_resizing_takes_nearest_pixels_in_order():
    batch = torch.linspace(0.1, 1, 64).expand(1, 3, 64, 64)
    row = ResizePad()(batch, chance(1))[0, 0, 35]
    lit = row[row > 0]
    assert (lit.diff() >= 0).all()
    assert len(lit.unique()) == 64


def test_resizing_lets_gradients_through():
    batch = torch.rand(2, 3, 32, 32).requires_grad_()
    ResizePad()(batch, chance()).sum().backward()
    assert (batch.grad > 0).all()


def test_deflected_pixels_are_near_neighbours():
    defense = PixelDeflection(deflections=2000, window_px=2)
    places = torch.arange(40 * 40).view(1, 1, 40, 40).expand(2, 3, -1, -1).float()
    moved = defense._deflected(places, chance())
    changed = (moved != places)[:, 0].nonzero()
    assert len(changed) > 20
    reached = set()
    for n, row, column in changed.tolist():
        source = divmod(int(moved[n, 0, row, column]), 40)
        assert abs(source[0] - row) <= 2
        assert abs(source[1] - column) <= 2
        reached |= {source[0] - row, source[1] - column}
    assert reached == {-2, -1, 0, 1, 2}
    assert torch.equal(moved[:, 0], moved[:, 2])


@pytest.mark.parametrize(("side", "most"), [(299, 200), (64, 9), (8, 1)])
def test_a_smaller_picture_has_fewer_pixels_deflected(side, most):
    places = torch.arange(side * side).view(1, 1, side, side).expand(40, 3, -1, -1).float()
    changed = (PixelDeflection()._deflected(places, chance()) != places)[:, 0].flatten(1).sum(1)
    assert changed.max() == most if side < 299 else changed.max() <= most  # of 200, one may meet another
    assert changed.float().mean() > 0.9 * most


def test_pixel_deflection_denoises_and_keeps_range_and_shape():
    clean = torch.full((2, 3, 48, 48), 0.5)
    noisy = (clean + 0.04 * torch.randn(clean.shape, generator=chance(2))).clamp(0, 1)
    made = PixelDeflection(deflections=1)(noisy, chance())
    assert made.shape == noisy.shape
    assert made.dtype == noisy.dtype
    assert (made - clean).abs().mean() < 0.5 * (noisy - clean).abs().mean()
    assert made.min() >= 0
    assert made.max() <= 1


def test_gradients_know_which_details_pixel_deflection_throws_away():
    plain = torch.full((1, 3, 32, 32), 0.5)
    plain[:, :, :16] = 0.9  # or each channel's values would be one
    plain.requires_grad_()
    fine = torch.ones(32, 32)
    fine[:, 1::2] = -1
    PixelDeflection(deflections=1)(plain, chance())[0, :, 20:].sum(0).mul(fine[20:]).sum().backward()
    assert plain.grad.isfinite().all()
    coarse = plain.grad[0, :, 20:, ::2] + plain.grad[0, :, 20:, 1::2]
    assert (plain.grad[0, :, 20:] * fine[20:]).sum().abs() < 1e-3  # the identity's is 12 * 32 * 3
    assert coarse.abs().sum() < 1e-3


def test_pixel_deflection_repeats_from_its_seed():
    batch, defense = torch.rand(2, 3, 32, 32, generator=chance(5)), PixelDeflection()
    assert torch.equal(defense(batch, chance(1)), defense(batch, chance(1)))
    assert not torch.equal(defense(batch, chance(1)), defense(batch, chance(2)))


def test_senseless_settings_are_refused():
    with pytest.raises(ValueError, match="positive settings"):
        PixelDeflection(deflections=0)


def test_a_new_denoising_block_changes_nothing():
    x = torch.randn(2, 8, 5, 5, generator=chance())
    assert torch.equal(Denoising(8).eval()(x), x)


def test_a_denoising_block_averages_what_is_alike():
    block = Denoising(4).eval()
    torch.nn.init.ones_(block.norm.weight)
    block.mix.weight.data.copy_(torch.eye(4)[:, :, None, None])
    x = torch.ones(1, 4, 3, 3) * torch.arange(1.0, 5.0).view(1, 4, 1, 1)
    added = block(x) - x
    assert torch.allclose(added, x / (1 + block.norm.eps) ** 0.5, atol=1e-5)  # the mean of equal features is they
    # Of two kinds that are nothing alike, each keeps to itself; a plain mean would mix them.
    kinds = torch.zeros(1, 4, 2, 2)
    kinds[0, 0, 0], kinds[0, 1, 1] = 20.0, 20.0
    assert torch.allclose(block(kinds) - kinds, kinds / (1 + block.norm.eps) ** 0.5, atol=1e-3)


def test_the_denoised_network_is_known_to_timm_and_trains():
    model = create_classifier("natadv_slim_denoised", ("a", "b"), (32, 32)).train()
    model(torch.rand(4, 3, 32, 32)).sum().backward()
    blocks = [module for module in model.modules() if isinstance(module, Denoising)]
    assert len(blocks) == 3
    assert all(block.norm.weight.grad is not None for block in blocks)
