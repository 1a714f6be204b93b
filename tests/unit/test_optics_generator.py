import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from natadv.models.optics.bending import Bending
from natadv.models.optics.population import PER_DROP, latent_length, population_of
from natadv.models.optics_generator import OpticsGenerator
from natadv.raindrops.drops import DropParameters
from natadv.raindrops.glass import WetGlass
from natadv.raindrops.light import GAMMA
from natadv.raindrops.optics import Optics
from natadv.raindrops.pose import Pose
from natadv.raindrops.presets import PRESETS
from natadv.raindrops.refraction import deflection, transmission
from natadv.raindrops.scene import Scene


def _scene(size: int) -> torch.Tensor:
    """A picture with edges, colours and a gradient, (1, 3, size, size)."""
    y, x = torch.meshgrid(torch.linspace(0, 1, size), torch.linspace(0, 1, size), indexing="ij")
    checks = ((x * 6).floor() + (y * 6).floor()) % 2
    return torch.stack([0.2 + 0.6 * x, 0.1 + 0.8 * checks, 0.9 - 0.7 * y])[None]


def _codes(count: int, generator: OpticsGenerator, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, generator.latent_dim, generator=torch.Generator().manual_seed(seed))


def _apart(generator: OpticsGenerator, side: int) -> torch.Tensor:
    """A code whose drops stand on a lattice, none touching another."""
    z = _codes(1, generator, 5)
    each = z[:, 1:].view(1, -1, PER_DROP)
    place = (torch.arange(side) + 0.5) / side
    normal = torch.special.ndtri(place)
    lattice = torch.cartesian_prod(normal, normal)
    each[0, : len(lattice), :2] = lattice
    each[0, :, 2] = each[0, :, 2].clamp(-1, 0.3)
    return torch.cat([z[:, :1], each[:, : len(lattice)].flatten(1)], 1)


def _both(generator: OpticsGenerator, z: torch.Tensor) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The dry scene, and what the two renderers make of it, linear light, (h, w, 3)."""
    population = generator.population(z)
    height, width = generator.optics.height_px, generator.optics.width_px
    linear = functional.interpolate(_scene(height) ** GAMMA, (height, width))
    scene = Scene(np.ascontiguousarray(linear[0].permute(1, 2, 0).numpy()), ambient=float(population.ambient[0]))
    glass = WetGlass(generator.layout(z[0]).drops, generator.optics)
    theirs = glass.see(scene, Pose()).linear
    generator._glass.reduction = glass._reduction  # of these drops; the generator's is that of a typical spray
    ours, _ = generator._glass(linear, population)
    return scene.linear, np.clip(ours[0].permute(1, 2, 0).numpy(), 0, 1), np.clip(theirs, 0, 1)


@pytest.mark.parametrize(
    ("wetness", "side", "tolerance"),
    [("light", 512, 0.08), ("light", 192, 0.2), ("medium", 192, 0.15), ("close", 128, 0.15)],
)
def test_it_agrees_with_the_numpy_renderer_where_drops_stand_apart(wetness: str, side: int, tolerance: float) -> None:
    generator = OpticsGenerator((side, side), wetness)
    dry, ours, theirs = _both(generator, _apart(generator, 5))
    effect = np.abs(theirs - dry).mean()
    assert effect > 0.002
    assert np.abs(ours - theirs).mean() < tolerance * effect


@pytest.mark.parametrize(
    ("wetness", "tolerance"),
    [("light", 0.15), ("medium", 0.3), ("heavy", 0.6), ("fine", 0.3), ("close", 0.4), ("soft", 0.5)],
)
def test_touching_drops_cover_what_they_cover_there_and_look_much_alike(wetness: str, tolerance: float) -> None:
    generator = OpticsGenerator((192, 192), wetness)
    z = _codes(1, generator, 1)
    dry, ours, theirs = _both(generator, z)
    effect = np.abs(theirs - dry).mean()
    assert np.abs(ours - theirs).mean() < tolerance * effect
    _, alpha = generator._glass(torch.zeros(1, 3, 192, 192), generator.population(z))
    scene = Scene(np.zeros((192, 192, 3), np.float32))
    coverage = WetGlass(generator.layout(z[0]).drops, generator.optics).see(scene, Pose()).coverage()
    assert float(alpha.mean()) == pytest.approx(coverage, rel=0.05)


def test_codes_from_the_normal_law_are_what_a_spray_leaves() -> None:
    parameters = PRESETS["medium"].drops
    z = torch.randn(400, latent_length(20), generator=torch.Generator().manual_seed(3))
    population = population_of(z, parameters, (80.0, 60.0))
    assert float(population.x_mm.abs().max()) <= 40
    assert float(population.y_mm.std()) == pytest.approx(60 / math.sqrt(12), rel=0.03)
    assert float(population.radius_mm.log().mean()) == pytest.approx(math.log(parameters.radius_mm), abs=0.02)
    assert float(population.radius_mm.log().std()) == pytest.approx(parameters.radius_spread, rel=0.03)
    assert float(population.radius_mm.max()) <= parameters.max_radius_mm
    assert float(torch.rad2deg(population.contact_rad).mean()) == pytest.approx(parameters.contact_deg, abs=0.3)
    amplitude = population.ragged.square().sum(-1).sqrt()
    assert float(amplitude.max()) <= 0.2501
    large = population.ragged[population.radius_mm > 1]
    assert float(large.square().sum(-1).sum(-1).mean().sqrt()) == pytest.approx(
        math.sqrt(2) * parameters.raggedness, rel=0.05
    )


def test_bending_is_snell_and_fresnel() -> None:
    optics = Optics()
    slope = np.linspace(0.01, 3, 50).astype(np.float32)
    bent, passed = Bending(optics)(torch.stack([torch.from_numpy(slope), torch.zeros(50)], 1))
    np.testing.assert_allclose(bent[:, 0].numpy(), deflection(slope), atol=0.02)
    assert float(bent[:, 1].abs().max()) == 0
    smooth = slope < 1.0  # beyond, transmission falls steeply to total reflection
    np.testing.assert_allclose(passed.numpy()[smooth], transmission(slope)[smooth], atol=0.005)


def test_one_drop_alone_has_its_derivatives_right() -> None:
    """Against differences of the picture along each latent."""
    torch.manual_seed(0)
    generator = OpticsGenerator((128, 128), "close").double()
    z = torch.zeros(1, latent_length(1), dtype=torch.float64)
    z[0, 1:] = torch.tensor([0.1, -0.2, 1.5, 0.3, 0.5, -0.4, 0.2, 0.1, -0.3, 0.2])
    generator.drops = 1
    image = functional.interpolate(_scene(16).double(), (128, 128), mode="bilinear")
    weights = functional.interpolate(torch.randn(1, 3, 8, 8, dtype=torch.float64), (128, 128), mode="bilinear")

    def total(code: torch.Tensor) -> torch.Tensor:
        return (generator(image, code) * weights).sum()

    z.requires_grad_()
    (gradient,) = torch.autograd.grad(total(z), z)
    step = 1e-6
    for index in range(z.shape[1]):
        shift = torch.zeros_like(z)
        shift[0, index] = step
        with torch.no_grad():
            difference = (total(z + shift) - total(z - shift)) / (2 * step)
        assert float(gradient[0, index]) == pytest.approx(float(difference), rel=0.02, abs=0.05)


def test_pictures_in_a_batch_do_not_know_of_each_other() -> None:
    generator = OpticsGenerator((64, 64), "medium")
    images = torch.rand(4, 3, 64, 64, generator=torch.Generator().manual_seed(2))
    z = _codes(4, generator)
    alone = torch.cat([generator(images[i : i + 1], z[i : i + 1]) for i in range(4)])
    torch.testing.assert_close(generator(images, z), alone, atol=1e-5, rtol=0)


def test_a_code_makes_drops_and_another_code_others() -> None:
    generator = OpticsGenerator((64, 64), "medium")
    images = _scene(64).expand(2, -1, -1, -1)
    wet = generator(images, _codes(2, generator))
    assert float((wet - images).abs().mean()) > 0.01
    assert float((wet[0] - wet[1]).abs().mean()) > 0.01
    assert 0 <= float(wet.min()) <= float(wet.max()) <= 1


def test_drops_outside_the_picture_leave_it_dry() -> None:
    generator = OpticsGenerator((128, 128), "light")
    z = _codes(1, generator)
    population = generator.population(z)
    away = type(population)(
        population.x_mm + 500,
        population.y_mm,
        population.radius_mm,
        population.contact_rad,
        population.ragged,
        population.ambient,
    )
    image = _scene(128)
    seen, alpha = generator._glass(image, away)
    assert float(alpha.max()) == 0
    torch.testing.assert_close(seen, image)


@pytest.mark.parametrize(
    ("size", "wetness", "amount"), [((0, 8), "medium", 1.0), ((8, 8), "damp", 1.0), ((8, 8), "light", math.nan)]
)
def test_it_refuses_what_makes_no_bench(size: tuple[int, int], wetness: str, amount: float) -> None:
    with pytest.raises(ValueError, match="expected"):
        OpticsGenerator(size, wetness, amount=amount)


def test_it_refuses_other_shapes() -> None:
    generator = OpticsGenerator((32, 32), "light")
    with pytest.raises(ValueError, match="expected images"):
        generator(torch.zeros(1, 3, 16, 32), _codes(1, generator))
    with pytest.raises(ValueError, match="expected codes"):
        generator(torch.zeros(2, 3, 32, 32), _codes(1, generator))
    with pytest.raises(ValueError, match="expected codes"):
        population_of(torch.zeros(1, 4), DropParameters(), (10.0, 10.0))


def test_a_room_that_stays_as_it_is_takes_its_light_from_no_code() -> None:
    rooms, dark = OpticsGenerator((48, 48), "close"), OpticsGenerator((48, 48), "close", ambient=0.02)
    z = _codes(4, rooms)
    assert len(set(rooms.population(z).ambient.tolist())) == 4
    assert dark.population(z).ambient.tolist() == pytest.approx([0.02] * 4)
    assert torch.equal(dark.population(z).x_mm, rooms.population(z).x_mm)
    z[:, 0] = -40.0  # of the rooms, the darkest: 0.02
    images = _scene(48).expand(4, -1, -1, -1)
    assert torch.allclose(rooms(images, z), dark(images, z), atol=1e-6)
    with pytest.raises(ValueError, match="expected an ambient light of 0 or more"):
        OpticsGenerator((48, 48), ambient=-1.0)
