"""RAIN's parts in closed form, and the whole."""

import pytest
import torch
from torch import Generator, nn

from natadv.defenses.circular_shift import circular_shift, draw_shift
from natadv.defenses.defended import Defended
from natadv.defenses.rain import ORDERS, Noise, Rain
from natadv.defenses.random_downsample import draw_pick, random_downsample
from natadv.models.super_resolution.create import Bicubic, create_super_resolution


def chance(seed=0):
    return Generator().manual_seed(seed)


def pictures(count=3, height=6, width=8):
    return torch.rand(count, 3, height, width, generator=chance(9))


@pytest.mark.parametrize("size", [(5, 7), (6, 8)])
def test_shifted_last_the_picture_of_any_size_keeps_its_values(size):
    noise = Noise(torch.zeros(1, 1, 3, 4, dtype=torch.int32), torch.tensor([[1, -2]], dtype=torch.int32))
    unmoved = Noise(noise.pick, torch.zeros(1, 2, dtype=torch.int32))
    rain, batch = Rain(Bicubic(), order="down-up-shift"), pictures(1, *size)
    assert torch.equal(rain(batch, noise), circular_shift(rain(batch, unmoved), noise.shift))


@pytest.mark.parametrize("size", [(5, 7), (6, 8)])
@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("network", ["bicubic", "compact:4x2"])
def test_one_look_at_the_picture_does_what_the_parts_do_one_by_one(size, per_channel, network):
    upsampler, batch = create_super_resolution(network), pictures(3, *size)
    for weight in upsampler.parameters():
        weight.data.add_(0.1)
    rain = Rain(upsampler, share=0.9, per_channel=per_channel)
    noise = rain.draw(3, size, chance(4))
    small = circular_shift(random_downsample(batch, noise.pick), noise.shift)
    torch.testing.assert_close(rain(batch, noise), upsampler(small)[..., : size[0], : size[1]])
    assert noise.shift.any(dim=0).all()


@pytest.mark.parametrize("shape", [(1, 2), (3, 1), (4, 2), (2,)])
@pytest.mark.parametrize("order", ["down-shift-up", "shift"])
def test_shifts_that_are_not_one_an_image_are_refused(shape, order):
    rain, batch = Rain(Bicubic(), order=order), pictures(3)
    pick = rain.draw(3, (6, 8), chance()).pick
    with pytest.raises(ValueError, match=r"expected shifts \(3, 2\)"):
        rain(batch, Noise(pick, torch.zeros(shape, dtype=torch.int32)))


@pytest.mark.parametrize("channels", [1, 3])
def test_downsampling_returns_one_of_the_four_and_the_one_picked(channels):
    batch = pictures()
    pick = draw_pick(3, (6, 8), chance(), channels=channels)
    small = random_downsample(batch, pick)
    assert small.shape == (3, 3, 3, 4)
    for n in range(3):
        for c in range(3):
            for i in range(3):
                for j in range(4):
                    row, column = divmod(int(pick[n, c if channels == 3 else 0, i, j]), 2)
                    assert small[n, c, i, j] == batch[n, c, 2 * i + row, 2 * j + column]


def test_an_odd_side_repeats_its_last_pixel():
    batch = pictures(1, 5, 3)
    pick = torch.full((1, 1, 3, 2), 3, dtype=torch.int32)
    small = random_downsample(batch, pick)
    assert torch.equal(small[0, :, 2, 1], batch[0, :, 4, 2])  # min(2 i + 1, h - 1)


def test_each_pixel_is_picked_as_often():
    pick = draw_pick(50, (64, 64), chance(3))
    shares = torch.bincount(pick.flatten(), minlength=4) / pick.numel()
    assert (shares - 0.25).abs().max() < 0.01
    assert pick.dtype == torch.int32


def test_a_pick_of_another_shape_is_refused():
    with pytest.raises(ValueError, match="expected a pick"):
        random_downsample(pictures(), torch.zeros(3, 2, 3, 4, dtype=torch.int32))


def test_a_shift_is_a_permutation_and_turns_back():
    batch = pictures()
    shift = torch.tensor([[1, -2], [0, 3], [-5, 7]], dtype=torch.int32)
    moved = circular_shift(batch, shift)
    assert torch.equal(moved.flatten(2).sort().values, batch.flatten(2).sort().values)
    assert torch.equal(circular_shift(moved, -shift), batch)
    for n, (down, right) in enumerate(shift.tolist()):
        assert torch.equal(moved[n], torch.roll(batch[n], (-down, -right), (1, 2)))


def test_shifts_stay_within_their_share_and_reach_it():
    shift = draw_shift(4000, (112, 60), 0.05, chance())
    assert shift[:, 0].unique().tolist() == list(range(-6, 7))
    assert shift[:, 1].unique().tolist() == list(range(-3, 4))
    assert not draw_shift(10, (32, 32), 0.0, chance()).any()


def test_a_reach_below_a_pixel_shifts_now_and_then():
    shift = draw_shift(8000, (64, 32), 0.01, chance())
    assert (shift[:, 0] != 0).double().mean() == pytest.approx(1 - 0.5 / 0.64, abs=0.02)
    assert not shift[:, 1].any()  # 0.32 px


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("size", [(16, 16), (15, 17)])
def test_every_order_keeps_the_shape_and_repeats_its_noise(order, size):
    rain = Rain(Bicubic(), order=order, share=0.2)
    batch = torch.rand(4, 3, *size, generator=chance(1))
    noise = rain.draw(4, size, chance(2))
    made = rain(batch, noise)
    assert made.shape == batch.shape
    assert torch.equal(made, rain(batch, chance(2)))
    assert not torch.equal(made, rain(batch, chance(3)))
    assert (noise.pick is not None) == ("down" in order)
    assert (noise.shift is not None) == ("shift" in order)


def test_rain_is_down_then_shift_then_up():
    batch, pick = pictures(1), torch.ones(1, 1, 3, 4, dtype=torch.int32)
    shift = torch.tensor([[1, 2]], dtype=torch.int32)
    up = nn.Upsample(scale_factor=2, mode="nearest")
    made = Rain(up)(batch, Noise(pick, shift))
    small = torch.roll(batch[..., 0::2, 1::2], (-1, -2), (2, 3))
    assert torch.equal(made, up(small))


def test_the_other_orders_are_what_their_names_say():
    batch, pick = pictures(1), torch.ones(1, 1, 3, 4, dtype=torch.int32)
    noise = Noise(
        pick, torch.tensor([[1, 3]], dtype=torch.int32)
    )  # odd, so that other pixels are picked once it is done
    up, moved = nn.Upsample(scale_factor=2, mode="nearest"), torch.roll(batch, (-1, -3), (2, 3))
    assert torch.equal(Rain(up, order="shift-down-up")(batch, noise), up(moved[..., 0::2, 1::2]))
    last = torch.roll(up(batch[..., 0::2, 1::2]), (-1, -3), (2, 3))
    assert torch.equal(Rain(up, order="down-up-shift")(batch, noise), last)
    assert not torch.equal(last, up(moved[..., 0::2, 1::2]))


def test_gradients_reach_the_picked_pixels_alone():
    batch = pictures(1).requires_grad_()
    pick = draw_pick(1, (6, 8), chance())
    Rain(nn.Upsample(scale_factor=2))(batch, Noise(pick, torch.zeros(1, 2, dtype=torch.int32))).sum().backward()
    assert int((batch.grad != 0).sum()) == 3 * 12


def test_a_defended_model_draws_on_and_repeats_from_its_seed():
    model = Defended(Rain(Bicubic()), nn.Flatten(), seed=4)
    batch = pictures(2)
    first, second = model(batch), model(batch)
    assert not torch.equal(first, second)
    model.reseed(4)
    assert torch.equal(model(batch), first)
    assert model.randomised
    assert model.differentiable
    assert not model.training


@pytest.mark.parametrize(("wrong", "words"), [({"order": "up-down"}, "expected an order"), ({"share": 1.0}, "a share")])
def test_senseless_settings_are_refused(wrong, words):
    with pytest.raises(ValueError, match=words):
        Rain(Bicubic(), **wrong)


@pytest.mark.parametrize(
    "noise", [Noise(None, torch.zeros(3, 2)), Noise(torch.zeros(3, 1, 3, 4), None), Noise(None, None)]
)
def test_noise_that_lacks_a_part_is_refused(noise):
    with pytest.raises(ValueError, match="expected the noise of down-shift-up"):
        Rain(Bicubic())(pictures(), noise)
