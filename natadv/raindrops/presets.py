"""Presets: named ways for a plate to be wet, from sharp lenses to soft discs.

How drops look is as much the bench's doing as theirs: the farther the plate is from the screen and the wider
the lens, the larger the defocus disc. So a preset holds both. The discs named below are at 640 px.
"""

from dataclasses import dataclass, replace
from types import MappingProxyType

from natadv.raindrops.drops import DropParameters
from natadv.raindrops.optics import Optics


@dataclass(frozen=True, slots=True)
class Wetness:
    """A spray and the bench that shows it.

    Attributes:
        drops: what a spray leaves.
        glass_mm: distance from the camera to the plate.
        aperture_mm: diameter of the entrance pupil.
    """

    drops: DropParameters
    glass_mm: float = 200.0
    aperture_mm: float = 2.0

    def on(self, optics: Optics) -> Optics:
        """Return these optics with the preset's plate distance and aperture.

        Raises:
            ValueError: if the screen is nearer than the plate would be.
        """
        return replace(optics, glass_mm=self.glass_mm, aperture_mm=self.aperture_mm)


PRESETS = MappingProxyType(
    {
        # a few clear lenses: disc 2 px
        "light": Wetness(
            DropParameters(drops_per_mm2=0.005, radius_mm=1.2, mist_per_mm2=0.008, film_haze=0.01, film_slope=0.0005),
            aperture_mm=0.8,
        ),
        # the default bench: disc 5 px
        "medium": Wetness(DropParameters()),
        # crowded, merging and running: disc 5 px
        "heavy": Wetness(
            DropParameters(
                drops_per_mm2=0.03,
                radius_mm=1.6,
                mist_per_mm2=0.03,
                raggedness=0.08,
                trail_share=0.12,
                film_haze=0.08,
                film_slope=0.002,
            )
        ),
        # many small, even drops, as from a pump spray: disc 3 px
        "fine": Wetness(
            DropParameters(drops_per_mm2=0.07, radius_mm=0.7, radius_spread=0.35, max_radius_mm=2.0, film_haze=0.04),
            aperture_mm=1.2,
        ),
        # large drops on coated glass just before the lens: disc 8 px
        "close": Wetness(
            DropParameters(drops_per_mm2=0.02, radius_mm=1.6, contact_deg=58.0, trail_share=0.1, film_haze=0.03),
            glass_mm=110.0,
            aperture_mm=1.4,
        ),
        # a wide lens near the plate: soft discs, 29 px, about as large as the drops
        "soft": Wetness(
            DropParameters(
                drops_per_mm2=0.014,
                radius_mm=1.8,
                radius_spread=0.4,
                mist_per_mm2=0.03,
                film_haze=0.05,
                film_slope=0.002,
            ),
            glass_mm=120.0,
            aperture_mm=5.5,
        ),
    }
)
"""`Wetness` by name: light, medium, heavy, fine, close, soft."""
