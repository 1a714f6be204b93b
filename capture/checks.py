"""Checks of what was recorded of an image, before it is kept: each returns why not, in words, or nothing."""

import functools
import math
from collections.abc import Sequence
from itertools import pairwise
from statistics import median

import cv2
import numpy as np
from numpy.typing import NDArray

from capture.recorder import Recording
from capture.wetness import DryPlate
from natadv.images import Image, resize
from rigs.frame import Frame
from rigs.geometry import ScreenGeometry
from rigs.rig import Travel
from rigs.session import Checks

_SIDE_PX = 32
_TWINS = 0.98  # correlation of images that a camera may not tell apart
_PLAIN = 4.0  # levels: an image that varies less looks like every other one
_RING = 1.04  # the picture's outline, so much larger, encloses none of the ground around it
_LEAST_PX = 30
_SAMPLED = 15  # frames of a clip whose coverage is estimated before it is kept
_SLACK = 1.0  # mm and degrees that a pose may lie outside of the travel


def control_reasons(
    checks: Checks,
    control: Recording,
    image: Image,
    geometry: ScreenGeometry,
    lights: Sequence[float],
    *,
    before: Image | None = None,
) -> list[str]:
    """Return why a control is not good.

    Args:
        checks: the session's.
        control: cut to what is stored.
        image: what is to be seen.
        geometry: where it is to be seen.
        lights: of the session's controls so far, as `light` gives them.
        before: the image shown before, which a screen that hangs shows still; None: none was.
    """
    reasons = []
    frames = [frame.image for frame in control.frames]
    if lights and (now := light(frames, geometry)) is not None:
        drift = now / max(1e-6, median(lights)) - 1
        if abs(drift) > checks.exposure_drift:
            reasons.append(f"exposure drifted by {100 * drift:+.0f} % since the first controls")
    found = likeness(frames, image, geometry)
    if found is not None and found < checks.likeness:
        reasons.append(f"the screen shows another picture (likeness {found:.2f})")
    elif before is not None and found is not None and _shows_rather(frames, before, image, geometry):
        reasons.append("the screen shows the picture before rather than this one")
    if control.lost > checks.lost_frames:
        reasons.append(f"{control.lost} frames lost in the control")
    return reasons


def clip_reasons(
    checks: Checks, clip: Recording, dry: DryPlate | None, travel: Travel, *, sprayed: bool = True
) -> list[str]:
    """Return why a clip is not good.

    Args:
        checks: the session's.
        clip: cut to what is stored.
        dry: the control, to estimate the coverage with where the frames do not say it.
        travel: of the stage.
        sprayed: whether the plate was, and is to be wet.
    """
    reasons = []
    if clip.lost > checks.lost_frames:
        reasons.append(f"{clip.lost} frames lost")
    low, high = checks.coverage if sprayed else (0.0, checks.coverage[1])
    coverage = coverage_of(clip.frames, dry)
    if coverage is not None and not low <= coverage <= high:
        reasons.append(f"drops cover {100 * coverage:.1f} %, not {100 * low:g} to {100 * high:g} %")
    counts = [f.drops.count for f in clip.frames if f.drops is not None and f.drops.count is not None]
    if checks.drop_count and counts and not checks.drop_count[0] <= median(counts) <= checks.drop_count[1]:
        fewest, most = checks.drop_count
        reasons.append(f"{median(counts):.0f} drops, not {fewest} to {most}")
    if wrong := _impossible(clip.frames, travel):
        reasons.append(wrong)
    return reasons


def coverage_of(frames: Sequence[Frame], dry: DryPlate | None) -> float | None:
    """Return the mean coverage that frames say, or that some of them show against the control; None: nobody knows."""
    said = [frame.drops.coverage for frame in frames if frame.drops is not None]
    if said:
        return float(np.mean(said))
    if dry is None:
        return None
    step = max(1, len(frames) // _SAMPLED)
    seen = [found for frame in frames[::step] if (found := dry.coverage(frame.image)) is not None]
    return float(np.mean(seen)) if seen else None


def light(frames: Sequence[Image], geometry: ScreenGeometry) -> float | None:
    """Return the mean level of what frames show around the picture, 0..255; None where that is nothing."""
    around = _around(geometry, frames[0].shape[:2])
    if around.sum() < _LEAST_PX:
        return None
    return float(np.mean([frame[around].mean() for frame in frames]))


def likeness(frames: Sequence[Image], image: Image, geometry: ScreenGeometry) -> float | None:
    """Return how the picture correlates with an image in the frame where it does least, -1..1.

    None where the image is too plain to tell. One frame of another picture is a wrong label as much as all of them.
    """
    shown = resize(image, (_SIDE_PX, _SIDE_PX)).astype(float)
    if shown.std() < _PLAIN:
        return None
    return min(_alike(geometry.rectify(frame, (_SIDE_PX, _SIDE_PX)).astype(float), shown) for frame in frames)


def _shows_rather(frames: Sequence[Image], other: Image, image: Image, geometry: ScreenGeometry) -> bool:
    """Return whether some frame looks more like `other` than like `image`, where the two can be told apart."""
    asked, rival = (resize(one, (_SIDE_PX, _SIDE_PX)).astype(float) for one in (image, other))
    if rival.std() < _PLAIN or _alike(rival, asked) > _TWINS:
        return False
    seen = [geometry.rectify(frame, (_SIDE_PX, _SIDE_PX)).astype(float) for frame in frames]
    return any(_alike(one, rival) >= _alike(one, asked) for one in seen)


def _alike(seen: NDArray[np.float64], shown: NDArray[np.float64]) -> float:
    return 0.0 if seen.std() < 1e-6 else float(np.corrcoef(seen.ravel(), shown.ravel())[0, 1])


def _impossible(frames: Sequence[Frame], travel: Travel) -> str | None:
    """Say whether the stage reported poses that no plate can have had."""
    poses = [frame.pose for frame in frames if frame.pose is not None]
    for pose in poses:
        outside = math.hypot(pose.x_mm, pose.y_mm) > travel.radius_mm + _SLACK
        if outside or abs(pose.angle_deg) > travel.angle_deg + _SLACK:
            return f"the stage reported {pose}, out of its travel"
    for a, b in pairwise(poses):
        # Half of all there is, from one frame to the next: no stage is so quick.
        jumped = math.hypot(b.x_mm - a.x_mm, b.y_mm - a.y_mm) > travel.radius_mm / 2 + _SLACK
        if jumped or abs(b.angle_deg - a.angle_deg) > travel.angle_deg / 2 + _SLACK:
            return f"the stage reported {b} one frame after {a}"
    return None


@functools.lru_cache(maxsize=4)
def _around(geometry: ScreenGeometry, frame_size: tuple[int, int]) -> NDArray[np.bool_]:
    corners = np.asarray(geometry.corners_px)
    outline = corners.mean(0) + _RING * (corners - corners.mean(0))
    inside = np.zeros(frame_size, np.uint8)
    cv2.fillConvexPoly(inside, np.round(outline).astype(np.int32), 1)
    return np.asarray(inside == 0, bool)
