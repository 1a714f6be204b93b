"""Panes: ways in which a pane a hand's breadth before a photographer's lens is wet.

The presets of `presets` are a bench's, with small drops before a picture on a screen. Photographs of rain, as those of
Qian et al. 2018, look through a pane of 2 to 10 cm distance into the open: few, large, soft drops, each with the
whole street upside down in it. Discs are given at 64 px and a field of view of 45 degrees.
"""

from types import MappingProxyType

from natadv.raindrops.drops import DropParameters
from natadv.raindrops.presets import Wetness

VIEW_MM = (180.0, 360.0)
"""Width of what the camera sees at the distance of the scene in focus, 600 mm: fields of view of 37 to 53 degrees."""

PANES = MappingProxyType(
    {
        # round drops with the street in them: disc 2 px
        "clear": Wetness(
            DropParameters(drops_per_mm2=0.016, radius_mm=1.6, mist_per_mm2=0.01, film_haze=0.01),
            glass_mm=45.0,
            aperture_mm=0.6,
        ),
        # the same, out of focus: disc 5 px
        "blurred": Wetness(
            DropParameters(drops_per_mm2=0.014, radius_mm=1.7, radius_spread=0.45, film_haze=0.03),
            glass_mm=45.0,
            aperture_mm=1.6,
        ),
        # crowded and merging, steep: disc 2 px
        "crowded": Wetness(
            DropParameters(drops_per_mm2=0.03, radius_mm=1.3, contact_deg=55.0, raggedness=0.08, trail_share=0.06),
            glass_mm=45.0,
            aperture_mm=0.7,
        ),
        # a few large ones before a small lens: disc 3 px
        "large": Wetness(
            DropParameters(drops_per_mm2=0.006, radius_mm=2.8, radius_spread=0.35, contact_deg=50.0, film_haze=0.02),
            glass_mm=50.0,
            aperture_mm=1.0,
        ),
        # small drops at a hand's breadth and a wide lens, pale discs without a picture in them: disc 7 px
        "discs": Wetness(
            DropParameters(drops_per_mm2=0.012, radius_mm=1.2, radius_spread=0.35, contact_deg=50.0, film_haze=0.03),
            glass_mm=45.0,
            aperture_mm=2.2,
        ),
    }
)
"""`Wetness` by name: clear, blurred, crowded, large, discs."""
