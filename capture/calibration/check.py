"""A quick check before a session: are four markers where the calibration says they are?"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from capture.calibration.view import Light, View, dry_at_home
from natadv.errors import ConfigError, DeviceError
from natadv.images import Image
from natadv.raindrops.light import GAMMA
from rigs.geometry import ScreenGeometry
from rigs.rig import Rig, RigSettings

FRAMES = 4
MIDDLES = ((0.18, 0.18), (0.82, 0.18), (0.82, 0.82), (0.18, 0.82))

_SIDE = 0.24  # of a marker, of the picture
_PAPER = 232


class BenchMovedError(DeviceError):
    """The devices work, and what they see is not what was calibrated: trying again does not help."""


@dataclass(frozen=True, slots=True)
class Check:
    """What a quick check found.

    Attributes:
        moved_px: how far each of the four markers is from where it should be.
    """

    moved_px: tuple[float, float, float, float]


def check_bench(settings: RigSettings) -> Check | None:
    """Open a rig that was calibrated, and look at four markers; None for a rig whose file names no calibration.

    Raises:
        ConfigError: if its calibration is missing, torn, or another rig's.
        BenchMovedError: if a marker is not seen, or is not where it was.
        DeviceError: if a device fails.
    """
    if settings.measured() is None:
        return None
    with settings.open() as rig:
        return check_rig(settings, rig)


def check_rig(settings: RigSettings, rig: Rig) -> Check:
    """Look at four markers on an open rig, whose sprayer is shut for good then.

    Raises:
        ConfigError: as `check_bench`, or if its file names no calibration.
        BenchMovedError: if a marker is not seen, or is not where it was.
        DeviceError: if a device fails.
    """
    calibration = settings.measured()
    if calibration is None:
        raise ConfigError(f"{settings.file}: names no calibration to check it by: natadv rig calibrate {settings.file}")
    with dry_at_home(rig):
        view = View(rig, settings.screen)
        view.wait_s = max(rig.settle_s, 0.5)
        found = look_at_markers(view, calibration.geometry, settings.file)
    if max(found.moved_px) > calibration.moved_px:
        raise BenchMovedError(
            f"{settings.file}: the bench has moved, markers lie up to {max(found.moved_px):.1f} px from where it was "
            f"calibrated (at most {calibration.moved_px:g}); natadv rig calibrate {settings.file}, or --no-check"
        )
    return found


def look_at_markers(view: View, geometry: ScreenGeometry, rig_file: str) -> Check:
    """Show the markers and compare.

    Raises:
        BenchMovedError: if one is not seen.
    """
    view.show(pattern(view.side_px))
    seen = markers(view.mean(FRAMES))
    if missing := [number for number in range(len(MIDDLES)) if number not in seen]:
        raise BenchMovedError(
            f"{rig_file}: {len(MIDDLES) - len(missing)} of {len(MIDDLES)} markers seen; dry the plate, take away what "
            f"hides the screen, or natadv rig calibrate {rig_file}; --no-check goes on without"
        )
    # Of a marker the middle of its corners is compared: what blur does to one corner it does to the opposite one too.
    moved = [
        float(np.linalg.norm((seen[number] - geometry.places(_corners(number, view.side_px))).mean(0)))
        for number in range(len(MIDDLES))
    ]
    return Check((moved[0], moved[1], moved[2], moved[3]))


def pattern(side_px: int) -> Image:
    """Return a picture with the four markers."""
    grey = np.full((side_px, side_px), _PAPER, np.uint8)
    for number in range(len(MIDDLES)):
        (left, top), (right, bottom) = np.rint(_corners(number, side_px)[[0, 2]] * side_px).astype(int)
        drawn = cv2.aruco.generateImageMarker(_dictionary(), number, right - left)
        grey[top:bottom, left:right] = np.where(np.asarray(drawn) > 127, _PAPER, 24)
    return np.dstack([grey] * 3)


def markers(frame: Light) -> dict[int, NDArray[np.float64]]:
    """Return the corners, (4, 2) clockwise from top-left, of the markers that are seen in codes (h, w, 3)."""
    light = np.rint(255 * (frame.mean(-1) / 255) ** GAMMA).astype(np.uint8)
    parameters = cv2.aruco.DetectorParameters()
    parameters.cornerRefinementMethod = cv2.aruco.CORNER_REFINE_SUBPIX
    corners, numbers, _ = cv2.aruco.ArucoDetector(_dictionary(), parameters).detectMarkers(light)
    if numbers is None:
        return {}
    return {
        int(number): np.asarray(places, np.float64).reshape(4, 2)
        for number, places in zip(np.ravel(numbers), corners, strict=True)
    }


def _corners(number: int, side_px: int) -> NDArray[np.float64]:
    """Return the corners of a marker in the picture, (0, 0) to (1, 1), on whole pixels of it."""
    half = round(_SIDE * side_px / 2)
    x, y = (round(middle * side_px) for middle in MIDDLES[number])
    return np.array([(x - half, y - half), (x + half, y - half), (x + half, y + half), (x - half, y + half)]) / side_px


def _dictionary() -> cv2.aruco.Dictionary:
    return cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_4X4_50)
