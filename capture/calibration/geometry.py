"""Where the shown picture lies in the frame, by a ChArUco board on the screen, with the lens's distortion.

A plane seen by a pinhole is a homography, which a lens bends by k1 and k2 (see rigs/lens.py). One view of one plane
does not tell the focal length, so half the frame's diagonal is what r is measured in: k1 is the share by which the
frame's corners move. All are fitted together by least squares; the centre of the distortion is held near the frame's
middle, and k2 near 0, by as much as they vary among ordinary lenses. Another board, whose corners the fit does not
know, says how good it is; what is kept is fitted to all.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from capture.calibration.board import Board, Points
from capture.calibration.drawing import arrows_drawn, corners_drawn
from capture.calibration.finding import Finding
from capture.calibration.fit import fitted
from capture.calibration.sight import Sight
from capture.calibration.view import View
from natadv.errors import DeviceError
from rigs.calibration import Measure
from rigs.geometry import ScreenGeometry
from rigs.lens import Lens

FRAMES = 8
SQUARES = (12, 8, 6)
MOST_PX = 0.3
"""Largest reprojection error of a calibration that is kept."""

_ALL = 0.95
_ENOUGH = 16  # corners, four times what a homography needs, to say what is wrong
_CORNER_PX = 0.05  # standard deviation of a corner that is found
_CENTRE = 0.03  # standard deviation of the distortion's centre, in half diagonals
_K2 = 0.05  # of k2
_EDGE_PX = 1.0
_SEEN_PX = 0.02  # a distortion below is none
_SURELY = 12.0  # and so is one that explains no more than some values fitted to noise would
_LENS = "take a lens that distorts less, or stand further off with a longer one"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GeometryFinding(Finding):
    """The geometry that was found.

    Attributes:
        geometry: of the picture in the frame.
        reprojection_px: root mean square distance of the second board's corners from where the fit sends them.
    """

    geometry: ScreenGeometry
    reprojection_px: float


@dataclass(frozen=True, slots=True)
class Fit:
    """A geometry fitted to corners.

    Attributes:
        geometry: of the picture in the frame.
        rms_px: of the corners about it.
        k1_sd: standard deviation of k1, also where it is too small to be kept.
        k2_sd: of k2.
    """

    geometry: ScreenGeometry
    rms_px: float
    k1_sd: float = 0.0
    k2_sd: float = 0.0


def find_geometry(view: View, sight: Sight) -> GeometryFinding:
    """Show boards and fit.

    Raises:
        DeviceError: if none is recognised, a part of it lies out of the frame, or the fit is bad.
    """
    board, numbers, seen = _finest(view, sight)
    points = board.corners[numbers]
    for coarser in (1, 2):
        # Other squares, whose corners lie otherwise among the pixels: what pulls them does not pull all one way.
        more = Board(board.squares - coarser, board.side_px)
        view.show(more.picture())
        also, there = more.find(view.mean(FRAMES))
        points, seen = np.concatenate([points, more.corners[also]]), np.concatenate([seen, there])
    fit = fit_geometry(points, seen, view.frame_size)
    _check_within(fit.geometry, view.frame_size)
    if len(numbers) < _ALL * len(board.corners):
        raise DeviceError(_unseen(len(numbers), len(board.corners), sight))
    second = board.second
    view.show(second.picture())
    frame = view.mean(FRAMES)
    numbers, corners = second.find(frame)
    if len(numbers) < _ENOUGH:
        raise DeviceError(_unseen(len(numbers), len(second.corners), sight))
    off = corners - fit.geometry.places(second.corners[numbers])
    reprojection_px = float(np.sqrt((off**2).sum(1).mean()))
    if reprojection_px > MOST_PX:
        raise DeviceError(
            f"camera: the board's corners lie {reprojection_px:.2f} px from where a flat screen would have them "
            f"(at most {MOST_PX:g}); is the plate out of the way or dry, the screen flat, the camera fixed?"
        )
    points, seen = np.concatenate([points, second.corners[numbers]]), np.concatenate([seen, corners])
    fit = fit_geometry(points, seen, view.frame_size)
    plain = fit_geometry(points, seen, view.frame_size, distorted=False)
    lens = fit.geometry.lens
    return GeometryFinding(
        title="Geometry",
        said=f"ChArUco boards of {board.squares}, {board.squares - 1} and {board.squares - 2} squares a side gave the "
        "screen's outline and the lens's distortion; another, shifted, was compared with both.",
        measures=(
            Measure(
                name="reprojection error",
                value=reprojection_px,
                unit="px",
                uncertainty=reprojection_px / float(np.sqrt(2 * len(numbers))),
                high=0.1,
                mend="dry the plate, focus, hold the camera still, and calibrate again",
            ),
            Measure(name="without the lens's distortion", value=plain.rms_px, unit="px"),
            Measure(name="k1", value=lens.k1 if lens else 0.0, uncertainty=fit.k1_sd, low=-0.2, high=0.2, mend=_LENS),
            Measure(name="k2", value=lens.k2 if lens else 0.0, uncertainty=fit.k2_sd),
            Measure(
                name="picture in the frame",
                value=fit.geometry.scale((1, 1)),
                unit="px a side",
                low=64,
                mend="move the camera nearer, or take a longer lens",
            ),
        ),
        photos=(corners_drawn(frame, corners, fit.geometry), arrows_drawn(off, corners, fit.geometry, view.frame_size)),
        geometry=fit.geometry,
        reprojection_px=reprojection_px,
    )


def fit_geometry(points: Points, places: Points, frame_size: tuple[int, int], *, distorted: bool = True) -> Fit:
    """Fit a homography and a lens.

    Args:
        points: (n, 2) in the picture, (0, 0) to (1, 1).
        places: (n, 2) where they were seen, pixels of the frame.
        frame_size: its (height, width).
        distorted: False to fit no lens. A lens whose distortion cannot be seen is left out too.
    """
    height, width = frame_size
    middle, unit = np.array([(width - 1) / 2, (height - 1) / 2]), np.hypot(height, width) / 2
    seen = (places - middle) / unit
    about = 2 * np.asarray(points) - 1
    start, _ = cv2.findHomography(about, seen)
    flat = np.append((np.asarray(start) / start[2, 2]).ravel()[:8], [0.0] * 4)

    def sent(values: NDArray[np.float64], there: Points) -> Points:
        ideal = np.column_stack([there, np.ones(len(there))]) @ np.append(values[:8], 1.0).reshape(3, 3).T
        ideal = ideal[:, :2] / ideal[:, 2:]
        return Lens(values[8], values[9], (values[10], values[11]), 1.0).bend(ideal)

    free = 12 if distorted else 8

    def residuals(values: NDArray[np.float64]) -> NDArray[np.float64]:
        whole = np.append(values, flat[free:])
        off = (sent(whole, about) - seen).ravel() * unit / _CORNER_PX
        return np.concatenate([off, whole[9:10] / _K2, whole[10:] / _CENTRE])

    found, spread = fitted(residuals, flat[:free])
    values = np.append(found, flat[free:])
    off = (sent(values, about) - seen) * unit
    rms_px = float(np.sqrt((off**2).sum(1).mean()))
    corners = np.array([(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)])
    a, b, c, d = middle + unit * sent(values, corners)
    outline = tuple((float(x), float(y)) for x, y in (a, b, c, d))
    if not distorted:
        return Fit(ScreenGeometry(outline), rms_px)  # type: ignore[arg-type]
    plain = fit_geometry(points, places, frame_size, distorted=False)
    gained = max(0.0, plain.rms_px**2 - rms_px**2)
    if np.sqrt(gained) < _SEEN_PX or gained * len(points) < _SURELY * rms_px**2:
        return Fit(plain.geometry, plain.rms_px, float(spread[8]), float(spread[9]))
    centre = (float(middle[0] + unit * values[10]), float(middle[1] + unit * values[11]))
    lens = Lens(float(values[8]), float(values[9]), centre, float(unit))
    return Fit(ScreenGeometry(outline, lens), rms_px, float(spread[8]), float(spread[9]))  # type: ignore[arg-type]


def _finest(view: View, sight: Sight) -> tuple[Board, NDArray[np.int64], Points]:
    """Return the finest board of which all is seen, or else the one of which most is."""
    best: tuple[float, Board, NDArray[np.int64], Points] | None = None
    for squares in SQUARES:
        board = Board(squares, view.side_px)
        view.show(board.picture())
        numbers, corners = board.find(view.mean(FRAMES))
        share = len(numbers) / len(board.corners)
        if best is None or share > best[0]:
            best = share, board, numbers, corners
        if share >= _ALL:
            break
    if best is None or len(best[2]) < _ENOUGH:
        raise DeviceError(_unseen(len(best[2]) if best else 0, len(best[1].corners) if best else 0, sight))
    return best[1], best[2], best[3]


def _unseen(found: int, of: int, sight: Sight) -> str:
    """Return what to do about a board of which too little is seen."""
    seen = f"camera: {found} of the board's {of} corners seen" if found else "camera: no board seen"
    if sides := sight.sides:
        return f"{seen}, the picture reaches out of the frame ({', '.join(sides)}); bring all of it into the frame"
    side = round(float(np.sqrt(sight.lit.sum())))
    return (
        f"{seen} in a picture of about {side} px a side; focus, dry or take away the plate, "
        "take reflections off the screen, or bring the camera nearer"
    )


def _check_within(geometry: ScreenGeometry, frame_size: tuple[int, int]) -> None:
    height, width = frame_size
    (left, top), (right, bottom) = geometry.outline().min(0), geometry.outline().max(0)
    out = {"left": -0.5 - left, "top": -0.5 - top, "right": right - width + 0.5, "bottom": bottom - height + 0.5}
    beyond = [f"{px:.0f} px at the {side}" for side, px in out.items() if px > _EDGE_PX]
    if beyond:
        raise DeviceError(
            f"camera: the picture reaches out of the frame by {', '.join(beyond)}; "
            "move or turn the camera until all of it is seen"
        )
