"""Drops: a population of water drops on a plate, how spraying adds to it and drying takes away.

A drop is a spherical cap, the shape that surface tension gives water when gravity is weak, on a contact
line that the glass's dirt makes a little ragged. What drops that touch look like is `field`'s business.
"""

import math
from dataclasses import dataclass, field, fields, replace

import numpy as np
from numpy.typing import NDArray

from natadv.raindrops.film import Film

HARMONICS = (2, 3, 4)
"""Angular orders of a contact line's raggedness; order 1 would only shift the drop."""

_DIFFUSION_MM2_S = 25.0 * 17.3e-3 / 998.0
"""Vapour's diffusivity in air, 25 mm2/s, times saturated over liquid density (water at 20 degrees)."""

_JOIN = 0.7  # how far outside another drop's contact line a middle may land to join it, in own radii

_FILM_LIFE_S = 30.0
"""Time in which a film of some micrometres thins to 1/e in still air, half humid; judged by eye."""


@dataclass(frozen=True, slots=True)
class DropParameters:
    """What one spray leaves on the plate.

    Defaults are a medium-wet plate: sizes and spacing chosen to look like the photographs of Qian et al. 2018
    (Attentive GAN for raindrop removal, CVPR) on the default bench.

    Attributes:
        drops_per_mm2: mean number of drops that one spray adds per area.
        radius_mm: median radius of their contact lines; sizes are log-normal.
        radius_spread: standard deviation of ln(radius).
        max_radius_mm: radius at which a drop would run off; larger ones are cut to it.
        mist_per_mm2: mean number of fine drops, .12 to .4 mm in radius, added per area.
        contact_deg: mean contact angle. Water on clean glass 20..35, on dirty or coated glass 50..80.
        contact_spread_deg: its standard deviation from drop to drop.
        raggedness: root mean square deviation of the contact line from a circle, as a share of the radius.
        trail_share: share of the drops larger than the median that have run down, 0..1.
        trail_mm: mean length of their trails.
        film_slope: root mean square slope of the film that one spray adds; see `Film`.
        film_haze: light that its mist scatters, 0..1; see `Film`.
        film_mm: correlation length of the film.

    Raises:
        ValueError: if a number is not finite or out of range.
    """

    drops_per_mm2: float = 0.012
    radius_mm: float = 1.3
    radius_spread: float = 0.55
    max_radius_mm: float = 6.0
    mist_per_mm2: float = 0.02
    contact_deg: float = 45.0
    contact_spread_deg: float = 9.0
    raggedness: float = 0.06
    trail_share: float = 0.0
    trail_mm: float = 25.0
    film_slope: float = 0.001
    film_haze: float = 0.03
    film_mm: float = 10.0

    def __post_init__(self) -> None:
        for entry in fields(self):
            value = getattr(self, entry.name)
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"expected {entry.name} >= 0, got {value}")
        if 0 in (self.radius_mm, self.max_radius_mm, self.film_mm):
            raise ValueError("expected radius_mm, max_radius_mm and film_mm above 0, got 0")
        if not 5 <= self.contact_deg <= 85:
            raise ValueError(f"expected contact_deg in 5..85, got {self.contact_deg}")
        if self.raggedness > 0.2:
            raise ValueError(f"expected raggedness up to 0.2, got {self.raggedness}")
        for name in ("trail_share", "film_haze"):
            if getattr(self, name) > 1:
                raise ValueError(f"expected {name} in 0..1, got {getattr(self, name)}")


def _none() -> NDArray[np.float32]:
    return np.zeros(0, np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Drops:
    """Drops on a plate; never changed, `sprayed` and `dried` return new ones.

    Attributes:
        plate_mm: width and height of the wet area, centred on the plate's home position.
        x_mm: middle of each drop to the right of the plate's middle, float32 (n,).
        y_mm: the same downwards; gravity pulls along +y of the plate.
        radius_mm: radius of the circle of the same area as its contact line, float32 (n,).
        contact_deg: contact angle, float32 (n,).
        ragged: complex64 (n, 3), amplitude and phase of the contact line's `HARMONICS`, in radii.
        film: the film between them.
    """

    plate_mm: tuple[float, float] = (240.0, 240.0)
    x_mm: NDArray[np.float32] = field(default_factory=_none)
    y_mm: NDArray[np.float32] = field(default_factory=_none)
    radius_mm: NDArray[np.float32] = field(default_factory=_none)
    contact_deg: NDArray[np.float32] = field(default_factory=_none)
    ragged: NDArray[np.complex64] = field(default_factory=lambda: np.zeros((0, len(HARMONICS)), np.complex64))
    film: Film = field(default_factory=Film)

    def __post_init__(self) -> None:
        if not all(math.isfinite(side) and side > 0 for side in self.plate_mm):
            raise ValueError(f"expected a plate with an area, got {self.plate_mm} mm")
        n = len(self.x_mm)
        columns = (self.x_mm, self.y_mm, self.radius_mm, self.contact_deg)
        if any(c.shape != (n,) for c in columns) or self.ragged.shape != (n, len(HARMONICS)):
            raise ValueError("expected columns of one length, one entry a drop")
        if not all(bool(np.isfinite(column).all()) for column in (*columns, self.ragged)):
            raise ValueError("expected finite numbers, got NaN or infinity in a drop")
        if n and (self.radius_mm.min() <= 0 or self.contact_deg.min() <= 0 or self.contact_deg.max() >= 90):
            raise ValueError("expected radii above 0 and contact angles in 0..90 degrees")

    def __len__(self) -> int:
        return len(self.x_mm)

    @classmethod
    def empty(cls, plate_mm: tuple[float, float] = (240.0, 240.0)) -> "Drops":
        """Return a dry plate of this size (width, height)."""
        return cls(plate_mm=plate_mm)

    @property
    def volume_mm3(self) -> float:
        """Water in all drops; a cap of radius a and height h holds pi h (3 a^2 + h^2) / 6."""
        return float(_cap_volume(self.radius_mm, self.contact_deg).sum())

    def sprayed(
        self, rng: np.random.Generator, parameters: DropParameters | None = None, amount: float = 1.0
    ) -> "Drops":
        """Return these drops after a spray.

        A drop that lands with its middle in another one, or nearly, joins it: their volumes add (radii cubed, at
        one contact angle). Drops that only touch stay two here and share one outline in `field`.

        Args:
            rng: where and how large; the same state gives the same drops.
            parameters: what a spray leaves; medium by default.
            amount: length of the spray, in sprays; scales the number of drops, not their sizes.

        Raises:
            ValueError: if `amount` is negative or not finite.
        """
        parameters = parameters or DropParameters()
        if not (math.isfinite(amount) and amount >= 0):
            raise ValueError(f"expected amount >= 0, got {amount}")
        fresh = _landed(rng, parameters, self.plate_mm, amount)
        film_seed = int(rng.integers(2**31))
        film = Film(
            slope=min(self.film.slope + amount * parameters.film_slope, 0.02),
            haze=1 - (1 - self.film.haze) * (1 - parameters.film_haze) ** amount,
            length_mm=parameters.film_mm,
            seed=self.film.seed if self.film.slope or self.film.haze else film_seed,
        )
        return replace(_joined(self, fresh, parameters.max_radius_mm), film=film)

    def dried(
        self, seconds: float, *, humidity: float = 0.5, airflow: float = 1.0, receding_deg: float = 8.0
    ) -> "Drops":
        """Return these drops after some time in air; small ones are gone first.

        The contact line stays pinned and the cap sinks: dV/dt = -pi a D (1 - H) c / rho (0.27 theta^2 + 1.30)
        (Hu & Larson 2002, J. Phys. Chem. B 106, 1334, Eq. 19), with theta taken as at the start. A drop that
        has sunk below the receding contact angle is counted as dry.

        Args:
            seconds: time in the air.
            humidity: relative humidity H, 0..1.
            airflow: how much faster than in still air; a fan makes some 5 to 20.
            receding_deg: contact angle at which a drop counts as gone.

        Raises:
            ValueError: if an argument is out of range or not finite.
        """
        if not (math.isfinite(seconds) and seconds >= 0):
            raise ValueError(f"expected seconds >= 0, got {seconds}")
        if not 0 <= humidity <= 1 or not (math.isfinite(airflow) and airflow >= 0):
            raise ValueError(f"expected humidity in 0..1 and airflow >= 0, got {humidity} and {airflow}")
        if not 0 < receding_deg < 90:
            raise ValueError(f"expected receding_deg in 0..90, got {receding_deg}")
        if seconds == 0:
            return self
        theta = np.radians(self.contact_deg)
        rate = math.pi * self.radius_mm * _DIFFUSION_MM2_S * (1 - humidity) * (0.27 * theta**2 + 1.30)
        volume = _cap_volume(self.radius_mm, self.contact_deg) - rate * airflow * seconds
        contact_deg = _cap_contact_deg(self.radius_mm, np.maximum(volume, 0))
        kept = self._of(contact_deg >= receding_deg)
        still_wet = math.exp(-airflow * (1 - humidity) / 0.5 * seconds / _FILM_LIFE_S)
        film = replace(self.film, slope=self.film.slope * still_wet, haze=self.film.haze * still_wet)
        return replace(kept, contact_deg=contact_deg[contact_deg >= receding_deg].astype(np.float32), film=film)

    def _of(self, which: NDArray[np.bool_]) -> "Drops":
        columns = ("x_mm", "y_mm", "radius_mm", "contact_deg", "ragged")
        return replace(self, **{name: getattr(self, name)[which] for name in columns})


def _cap_volume(radius_mm: NDArray[np.floating], contact_deg: NDArray[np.floating]) -> NDArray[np.floating]:
    tangent = np.tan(np.radians(contact_deg) / 2)
    return math.pi / 6 * radius_mm**3 * tangent * (3 + tangent**2)


def _cap_contact_deg(radius_mm: NDArray[np.floating], volume: NDArray[np.floating]) -> NDArray[np.floating]:
    """Invert `_cap_volume`: t^3 + 3 t = q has the root 2 sinh(asinh(q / 2) / 3)."""
    q = volume * 6 / (math.pi * radius_mm**3)
    return np.degrees(2 * np.arctan(2 * np.sinh(np.arcsinh(q / 2) / 3)))


def _landed(
    rng: np.random.Generator, parameters: DropParameters, plate_mm: tuple[float, float], amount: float
) -> Drops:
    """Return what one spray brings, before it meets the drops that are there."""
    width, height = plate_mm
    area = width * height * amount
    big = rng.poisson(parameters.drops_per_mm2 * area)
    fine = rng.poisson(parameters.mist_per_mm2 * area)
    n = big + fine
    x = rng.uniform(-width / 2, width / 2, n)
    y = rng.uniform(-height / 2, height / 2, n)
    sizes = rng.lognormal(math.log(parameters.radius_mm), parameters.radius_spread, big)
    radius = np.r_[np.clip(sizes, 0.2, parameters.max_radius_mm), rng.uniform(0.12, 0.4, fine)]
    contact = np.clip(rng.normal(parameters.contact_deg, parameters.contact_spread_deg, n), 8, 85)
    normal = rng.standard_normal((n, len(HARMONICS), 2))
    # Surface tension smooths the higher orders, and keeps drops below half a millimetre round.
    decay = np.array([1.0, 0.7, 0.5]) / math.sqrt(1 + 0.49 + 0.25)
    ragged = parameters.raggedness * decay * (normal[..., 0] + 1j * normal[..., 1])
    ragged *= np.minimum(1, radius / 1.0)[:, None]
    runs = (radius > parameters.radius_mm) & (rng.random(n) < parameters.trail_share)
    ragged[runs, 0] -= 0.16  # a running drop is longer than wide
    beads = [_trail(rng, x[i], y[i], radius[i], parameters.trail_mm) for i in np.flatnonzero(runs)]
    if beads:
        trail = np.concatenate(beads)
        x, y, radius = np.r_[x, trail[:, 0]], np.r_[y, trail[:, 1]], np.r_[radius, trail[:, 2]]
        contact = np.r_[contact, np.full(len(trail), max(parameters.contact_deg * 0.7, 8))]
        stretched = np.zeros((len(trail), len(HARMONICS)), complex)
        stretched[:, 0] = -trail[:, 3]
        ragged = np.r_[ragged, stretched]
    return Drops(
        plate_mm,
        *(column.astype(np.float32) for column in (x, y, radius, contact)),
        ragged=ragged.astype(np.complex64),
    )


def _trail(rng: np.random.Generator, x: float, y: float, radius: float, mean_mm: float) -> NDArray[np.floating]:
    """Return the beads that a running drop leaves above it: x, y, radius, stretch."""
    beads = []
    length = rng.exponential(mean_mm)
    up = radius * 1.1
    while up < length:
        # The wet track breaks up the sooner the longer ago the drop passed: small round beads far up.
        near = math.exp(-up / (4 * radius))
        bead = radius * rng.uniform(0.12, 0.25) * (1 + 1.2 * near)
        x += rng.normal(0, 0.08 * radius)
        beads.append((x, y - up, bead, 0.3 * near))
        up += bead * rng.uniform(1.7, 4.0)
    return np.array(beads).reshape(-1, 4)


def _joined(old: Drops, fresh: Drops, max_radius_mm: float) -> Drops:
    """Let each fresh drop join the one that it lands in, largest first, or else stay."""
    n_old, n = len(old), len(old) + len(fresh)
    order = np.argsort(-fresh.radius_mm, kind="stable")
    x = np.r_[old.x_mm, fresh.x_mm[order]]
    y = np.r_[old.y_mm, fresh.y_mm[order]]
    radius = np.r_[old.radius_mm, fresh.radius_mm[order]].astype(np.float64)
    ragged = np.r_[old.ragged, fresh.ragged[order]]
    stays = np.ones(n, bool)
    for i in range(n_old, n):
        gap = np.hypot(x[:i] - x[i], y[:i] - y[i]) - radius[:i]
        gap[~stays[:i]] = np.inf
        into = int(gap.argmin()) if i else 0
        if i and gap[into] < _JOIN * radius[i]:
            stays[i] = False
            share = radius[i] ** 3 / (radius[into] ** 3 + radius[i] ** 3)
            # The contact line stays pinned on both sides: what they make is longer along their line.
            along = complex(x[i] - x[into], y[i] - y[into])
            ragged[into, 0] += 0.4 * share * np.exp(-2j * np.angle(along))
            x[into] += share * (x[i] - x[into])
            y[into] += share * (y[i] - y[into])
            grown = (radius[into] ** 3 + radius[i] ** 3) ** (1 / 3)
            radius[into] = max(radius[into], min(grown, max_radius_mm))
    return Drops(
        old.plate_mm,
        x[stays].astype(np.float32),
        y[stays].astype(np.float32),
        radius[stays].astype(np.float32),
        np.r_[old.contact_deg, fresh.contact_deg[order]][stays],
        (ragged / np.maximum(1, np.abs(ragged) / 0.25))[stays],
        old.film,
    )
