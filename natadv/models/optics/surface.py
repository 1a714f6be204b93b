"""Surface: what the water of a population does to each ray, in closed form and differentiable.

A drop alone is exactly that of `natadv.raindrops.field`: u = (a^2 - r^2)(1 + b y / 2a), r scaled to its ragged contact
line, and its slope grad u / (2 sqrt(u + k^2)), here differentiated by hand instead of by a Sobel filter. Where drops
touch, field.py relaxes the Young-Laplace equation in their common outline; here the outline is the smooth minimum of
the drops' distances, and the slope their mean, weighted alike. Only pixels near a drop are computed, as a list of
(drop, pixel) pairs.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from natadv.models.optics.population import Population
from natadv.raindrops.drops import HARMONICS
from natadv.raindrops.field import CAPILLARY_LENGTH_MM

_BLEND = 0.4 / 4 / math.log(2)  # of a radius: two equal distances are lowered as by field.py's smooth minimum
_NECK = 1.5  # blends beyond its contact line over which a drop still counts


@dataclass(frozen=True, slots=True)
class Surface:
    """The water at the wet pixels of n pictures, m in all.

    Attributes:
        pixel: index of each wet pixel in the flattened pictures, (n * h * w), int64, (m,).
        slope: gradient of the water's thickness, x and y, (m, 2).
        alpha: share of the pixel that drops cover, 0..1, (m,).
    """

    pixel: Tensor
    slope: Tensor
    alpha: Tensor


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Pixels near drops: which drop (of n * K), which pixel (of n * h * w), and from where it is seen, mm."""

    drop: Tensor
    pixel: Tensor
    x_mm: Tensor
    y_mm: Tensor


def surface_of(population: Population, size: tuple[int, int], px_per_mm: float, typical_mm: float) -> Surface:
    """Return the water that pictures of height and width `size` show.

    Args:
        population: K drops before each of n pictures, on plates whose middle is in the pictures' middle.
        size: height and width of a picture, px.
        px_per_mm: scale of the plate in the picture.
        typical_mm: radius of a typical drop; sets how far the necks between touching drops reach.
    """
    blend = _BLEND * typical_mm
    reach = _NECK * blend + 1 / px_per_mm
    pairs = _pairs(population, size, px_per_mm, reach)
    distance, slope = _water(population, pairs)
    near = (distance < reach).nonzero()[:, 0]
    distance, slope, pixel = distance[near], slope[near], pairs.pixel[near]
    # Sums over the drops at a pixel, in the order of pixels that have any.
    wet, place = torch.unique(pixel, return_inverse=True)
    weight = torch.exp(-distance / blend)
    total = weight.new_zeros(len(wet)).index_add(0, place, weight)
    share = weight / total[place]
    slope = slope.new_zeros(len(wet), 2).index_add(0, place, slope * share[:, None])
    alpha = (0.5 + blend * total.log() * px_per_mm).clamp(0, 1)
    return Surface(wet, slope, alpha)


@torch.no_grad()
def _pairs(population: Population, size: tuple[int, int], px_per_mm: float, reach_mm: float) -> _Pairs:
    """List the pixels within reach of each drop, clipped to the picture."""
    height, width = size
    count = population.x_mm.shape[1]
    wavy = population.ragged.square().sum(-1).sqrt().sum(-1)
    half = ((population.radius_mm * (1 + wavy) + reach_mm) * px_per_mm).flatten()
    column = population.x_mm.flatten() * px_per_mm + (width - 1) / 2
    row = population.y_mm.flatten() * px_per_mm + (height - 1) / 2
    left, right = (column - half).ceil().clamp(min=0), (column + half).floor().clamp(max=width - 1)
    top, bottom = (row - half).ceil().clamp(min=0), (row + half).floor().clamp(max=height - 1)
    across, down = (right - left + 1).clamp(min=0).long(), (bottom - top + 1).clamp(min=0).long()
    area = across * down
    drop = torch.repeat_interleave(torch.arange(len(area), device=area.device), area)
    first = torch.cumsum(area, 0) - area
    within = torch.arange(len(drop), device=area.device) - first[drop]
    x = left[drop].long() + within % across[drop]
    y = top[drop].long() + within // across[drop]
    # The corners of the square are out of reach: a fifth of all pairs.
    disc = ((x - column[drop]).square() + (y - row[drop]).square() < half[drop].square()).nonzero()[:, 0]
    drop, x, y = drop[disc], x[disc], y[disc]
    picture = drop // count
    return _Pairs(
        drop,
        picture * (height * width) + y * width + x,
        (x - (width - 1) / 2) / px_per_mm,
        (y - (height - 1) / 2) / px_per_mm,
    )


def _water(population: Population, pairs: _Pairs) -> tuple[Tensor, Tensor]:
    """Return the distance from the contact line, mm, and the surface's slope, of each pair's drop alone."""
    columns = (population.x_mm, population.y_mm, population.radius_mm, population.contact_rad)
    drops = torch.cat([torch.stack(columns, -1), population.ragged.flatten(-2)], -1).flatten(0, 1)
    middle_x, middle_y, radius, contact, *ragged = drops.index_select(0, pairs.drop).unbind(1)
    x, y = pairs.x_mm - middle_x, pairs.y_mm - middle_y
    r = (x.square() + y.square() + 1e-12).sqrt()
    cos, sin = x / r, y / r
    wave, turn = _waves(ragged, cos, sin)
    scale = 1 / (1 + wave).clamp(min=0.3)
    rho = r * scale
    # grad rho in polar coordinates: d rho / dr = scale, d rho / (r d theta) = d scale / d theta.
    around = -turn * scale.square()
    rho_x, rho_y = cos * scale - sin * around, sin * scale + cos * around
    pull = (radius.square() / (2 * CAPILLARY_LENGTH_MM**2 * contact.sin())).clamp(max=0.7) / (2 * radius)
    flat = radius.square() - rho.square()
    sag = 1 + pull * y
    k = radius / contact.tan()
    root = torch.maximum(flat * sag + k.square(), (0.2 * k).square()).sqrt()
    slope_x = -rho * sag * rho_x / root
    slope_y = (flat * pull / 2 - rho * sag * rho_y) / root
    return rho - radius, torch.stack([slope_x, slope_y], 1)


def _waves(ragged: list[Tensor], cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor]:
    """Return the contact line's deviation at an angle, in radii, and its derivative by the angle."""
    wave, turn = torch.zeros_like(cos), torch.zeros_like(cos)
    c, s = cos, sin
    for index, order in enumerate(HARMONICS):
        # HARMONICS are 2, 3, 4: each multiplication by exp(i theta) brings the next order.
        c, s = c * cos - s * sin, c * sin + s * cos
        real, imaginary = ragged[2 * index], ragged[2 * index + 1]
        wave = wave + real * c - imaginary * s
        turn = turn - order * (real * s + imaginary * c)
    return wave, turn
