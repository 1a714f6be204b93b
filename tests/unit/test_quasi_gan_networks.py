import pytest
import torch

from natadv.models.quasi_gan.discriminator import Discriminator
from natadv.models.quasi_gan.encoder import Encoder
from natadv.models.quasi_gan.literal import LiteralGenerator
from natadv.models.quasi_gan.refracting import RefractingGenerator

_GENERATORS = [LiteralGenerator, RefractingGenerator]


def _images(count: int, side: int = 64) -> torch.Tensor:
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(0))


def _codes(count: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(count, 64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("kind", _GENERATORS)
@pytest.mark.parametrize("side", [64, 96])
def test_any_size_comes_out_as_it_went_in(kind: type, side: int) -> None:
    generator = kind(16).eval()
    with torch.no_grad():
        wet = generator(_images(2, side), _codes(2))
    assert wet.shape == (2, 3, side, side)
    assert 0 <= float(wet.min()) <= float(wet.max()) <= 1
    assert generator.latent_dim == 64


def test_codes_have_gradients_and_make_a_difference_in_eval_mode() -> None:
    torch.manual_seed(0)
    generator = RefractingGenerator(16).eval()
    z = _codes(2).requires_grad_()
    images = _images(1).expand(2, -1, -1, -1)
    wet = generator(images, z)
    (gradient,) = torch.autograd.grad(wet.square().sum(), z)
    assert bool(gradient.isfinite().all())
    assert float(gradient.abs().sum()) > 0
    assert float((wet[0] - wet[1]).detach().abs().max()) > 1e-4


def test_the_refracting_one_does_the_same_in_training_and_evaluation() -> None:
    generator = RefractingGenerator(16)
    images, codes = _images(2), _codes(2)
    torch.testing.assert_close(generator.train()(images, codes), generator.eval()(images, codes))


def test_without_opacity_the_picture_stays() -> None:
    generator = RefractingGenerator(16).eval()
    absent = _codes(2).view(2, 4, 16)
    absent[:, 0] = -40.0  # the numbers that say whether a cell's first drop is there
    with torch.no_grad():
        generator.drops.shape.weight.zero_()
        generator.drops.shape.bias.view(2, 6)[:, 0] = -40.0
        generator.look.weight.zero_()
        generator.look.bias[1] = 40.0
    images = _images(2)
    wet, opacity = generator.composed(images, absent.flatten(1))
    assert float(opacity.detach().max()) < 0.1
    torch.testing.assert_close(wet, images, atol=0.1, rtol=0)


def test_a_cell_says_where_its_drop_is() -> None:
    generator = RefractingGenerator(16).eval()
    code = torch.zeros(1, 4, 4, 4)
    code[:, 0] = -5.0
    code[0, :, 1, 2] = torch.tensor([5.0, 0.0, 0.0, 0.0])
    right, down = code.clone(), code.clone()
    right[0, 1, 1, 2] = 1.0
    down[0, 2, 1, 2] = 1.0
    places = []
    with torch.no_grad():
        generator.drops.shape.weight.zero_()
        for each in (code, right, down):
            water, _ = generator.drops(each.flatten(1), 64)
            place = int(water.flatten().argmax())
            places.append((place % 64, place // 64))
    (x, y), (right_x, right_y), (down_x, down_y) = places
    assert (abs(x - 39.5), abs(y - 23.5)) <= (1, 1)
    assert right_x > x + 4
    assert abs(right_y - y) <= 1
    assert down_y > y + 4
    assert abs(down_x - x) <= 1


def test_rays_are_thrown_towards_thicker_water() -> None:
    water = torch.zeros(1, 1, 8, 8)
    water[..., 4:] = 3.0
    thrown = RefractingGenerator(16)._thrown(water).detach()
    assert float(thrown[0, 0, 4, 3]) > 0.05
    assert float(thrown[0, 1].abs().max()) == 0
    assert float(thrown[0, 0, 4, 0]) == 0


def test_a_flat_pane_of_water_shows_the_scene_itself() -> None:
    generator = RefractingGenerator(16).eval()
    with torch.no_grad():
        generator.throw.zero_()
        generator.look.weight.zero_()
        generator.look.bias.copy_(torch.tensor([0.0, 0.0, 0.0, -40.0, -40.0, -40.0]))
        ramp = torch.linspace(0, 1, 64).expand(1, 3, 64, 64).contiguous()
        torch.testing.assert_close(generator(ramp, _codes(1)), ramp, atol=0.02, rtol=0)


@pytest.mark.parametrize(("sees_clean", "spatial"), [(True, True), (False, False)])
def test_the_encoder_gives_a_gaussian(sees_clean: bool, spatial: bool) -> None:
    encoder = Encoder(16, sees_clean=sees_clean, spatial=spatial)
    mean, log_variance = encoder(_images(3), _images(3) * 0.5)
    assert mean.shape == log_variance.shape == (3, 64)
    assert float(log_variance.detach().abs().max()) <= 8


def test_a_spatial_code_keeps_the_layout() -> None:
    """What changes in one corner of the raindrop image changes that corner's numbers of the code most."""
    torch.manual_seed(0)
    encoder = Encoder(16).eval()
    clean = torch.full((1, 3, 64, 64), 0.5)
    rain = clean.clone()
    rain[..., :12, :12] = 1.0
    dry, _ = encoder(clean, clean)
    wet, _ = encoder(rain, clean)
    change = (wet - dry).detach().abs().view(4, 4, 4).sum(0)
    assert float(change[0, 0]) > 2 * float(change[3, 3])


def test_the_discriminator_gives_one_logit_a_picture() -> None:
    assert Discriminator(24)(_images(3, 80)).shape == (3,)
    assert Discriminator(24, spectral=False)(_images(3)).shape == (3,)
