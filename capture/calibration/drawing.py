"""Pictures of a calibration: what the camera saw, with what was found drawn on it."""

import cv2
import numpy as np
from numpy.typing import NDArray

from capture.calibration.finding import Photo
from natadv.images import Image
from rigs.geometry import ScreenGeometry

_GREEN, _ORANGE, _GREY = (0, 158, 115), (230, 110, 0), (190, 196, 204)
_WIDTH_PX = 900.0


def coded(codes: NDArray[np.floating]) -> Image:
    """Return codes 0..255 as uint8."""
    return np.asarray(np.rint(np.clip(codes, 0, 255)), np.uint8)


def corners_drawn(frame: NDArray[np.floating], corners: NDArray[np.float64], geometry: ScreenGeometry) -> Photo:
    """Return the picture in a frame with the corners that were found and the outline that follows from them."""
    begin, end, scale = _window(geometry, frame.shape[:2])
    part = coded(frame)[begin[1] : end[1], begin[0] : end[0]]
    large = np.asarray(cv2.resize(part, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR), np.uint8)
    cv2.polylines(large, [_scaled(geometry.outline() - begin, scale)], True, _GREEN, 2, cv2.LINE_AA)
    for x, y in _scaled(corners - begin, scale):
        cv2.circle(large, (int(x), int(y)), 5, _ORANGE, 2, cv2.LINE_AA)
    return Photo(large, "The shifted board: corners as they were found, and the picture's outline by the fit.")


def arrows_drawn(
    off: NDArray[np.float64], corners: NDArray[np.float64], geometry: ScreenGeometry, frame_size: tuple[int, int]
) -> Photo:
    """Return how far corners lie from where the fit sends them, enlarged as the caption says."""
    begin, end, scale = _window(geometry, frame_size)
    largest = float(np.sqrt((off**2).sum(1)).max())
    enlarged = 10.0 ** np.floor(np.log10(0.12 * (end[0] - begin[0]) / max(largest, 1e-6)))
    size = np.rint(scale * (end - begin)).astype(int)
    sheet = np.full((size[1], size[0], 3), 250, np.uint8)
    cv2.polylines(sheet, [_scaled(geometry.outline() - begin, scale)], True, _GREEN, 2, cv2.LINE_AA)
    tips = _scaled(corners + enlarged * off - begin, scale)
    for (x, y), (to_x, to_y) in zip(_scaled(corners - begin, scale), tips, strict=True):
        cv2.circle(sheet, (int(x), int(y)), 3, _GREY, -1, cv2.LINE_AA)
        cv2.arrowedLine(sheet, (int(x), int(y)), (int(to_x), int(to_y)), _ORANGE, 2, cv2.LINE_AA, 0, 0.25)
    caption = f"Errors of the shifted board's corners, {enlarged:.0f} times as long; the longest is {largest:.3f} px."
    return Photo(sheet, caption)


def _window(
    geometry: ScreenGeometry, frame_size: tuple[int, ...]
) -> tuple[NDArray[np.int32], NDArray[np.int32], float]:
    """Return the first and last (x, y) of the part of a frame that holds the picture, and its scale on the page."""
    left, top, right, bottom = geometry.region((frame_size[0], frame_size[1]))
    margin = round(0.05 * (right - left))
    begin = np.array([max(0, left - margin), max(0, top - margin)], np.int32)
    end = np.array([min(frame_size[1], right + margin), min(frame_size[0], bottom + margin)], np.int32)
    return begin, end, _WIDTH_PX / float(end[0] - begin[0])


def heat(values: NDArray[np.floating], low: float, high: float) -> Image:
    """Return a map of values, (h, w), in colours from `low` to `high`, enlarged to the page."""
    share = np.clip((values - low) / max(high - low, 1e-9), 0, 1)
    coloured = cv2.applyColorMap(np.rint(255 * share).astype(np.uint8), cv2.COLORMAP_VIRIDIS)
    large = cv2.resize(coloured, (420, round(420 * values.shape[0] / values.shape[1])), interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.cvtColor(large, cv2.COLOR_BGR2RGB), np.uint8)


def _scaled(points: NDArray[np.float64], scale: float) -> NDArray[np.int32]:
    return np.rint((points + 0.5) * scale - 0.5).astype(np.int32)
