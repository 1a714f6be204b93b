"""Sight: does the camera see the screen at all, neither too bright nor too dark? Asked first, of black and white."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from capture.calibration.view import Light, View
from natadv.errors import DeviceError

FRAMES = 4

_LEAST_RISE = 30.0  # codes from black to white, or there is no screen
_LEAST_SHARE = 0.01  # of the frame
_FULL = 252.0
_NEARLY_WHITE = 236  # seen as white only where white is more than the camera can count
_MOST_FULL = 0.05  # share of the picture


@dataclass(frozen=True, slots=True, eq=False)
class Sight:
    """A black and a white picture, as the camera sees them.

    Attributes:
        black: mean codes, (h, w, 3).
        white: mean codes, (h, w, 3).
        lit: where the picture is, bool (h, w).
    """

    black: Light
    white: Light
    lit: NDArray[np.bool_]

    @property
    def sides(self) -> list[str]:
        """The sides of the frame that the picture touches, in words."""
        lit = self.lit
        ends = {"left": lit[:, 0], "right": lit[:, -1], "top": lit[0], "bottom": lit[-1]}
        return [side for side, end in ends.items() if end.sum() > 2]


def look(view: View) -> Sight:
    """Show black, white, and nearly white.

    Raises:
        DeviceError: if the camera sees no difference, or white is more than it can count.
    """
    view.level(0)
    black = view.mean(FRAMES)
    view.level(255)
    white = view.mean(FRAMES)
    rise = (white - black).max(-1)
    lit = rise > max(_LEAST_RISE, 0.4 * float(np.percentile(rise, 99.5)))
    if lit.mean() < _LEAST_SHARE:
        raise DeviceError(
            f"camera: sees no picture come and go (white is {float(rise.max()):.0f} codes above black at most); point "
            "it at the screen, open the lens, raise the exposure"
        )
    view.level(_NEARLY_WHITE)
    full = float((view.mean(FRAMES)[lit].max(-1) >= _FULL).mean())
    if full > _MOST_FULL:
        raise DeviceError(
            f"camera: overexposed, {full:.0%} of a picture that is not quite white is at the end of its range; "
            "lower the exposure or the gain until white itself is just below it"
        )
    return Sight(black, white, lit)
