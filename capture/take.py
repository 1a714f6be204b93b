"""Take one image: its control through dry glass, its clip through wet glass, and whether they are good.

Show it, wait for the screen and the plate to come to rest, record the control, wet the plate, and record the clip while
the stage carries the plate along a random path. Where a layout lies beside the image, as `natadv attack advrd --bench`
writes it, the plate gets its drops instead of a spray, and the path begins at home, where they were found.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np

from capture.checks import clip_reasons, control_reasons, light
from capture.recorder import FramesMissingError, Recording, record_frames, record_seconds
from capture.wetness import DryPlate
from capture.writer import Take
from natadv.errors import DeviceError
from natadv.images import Image
from natadv.raindrops.layout import Layout
from natadv.raindrops.pose import Pose
from rigs.archive import Archive
from rigs.motion import random_path, smooth_path
from rigs.rig import Rig
from rigs.screen.base import ReadsBack
from rigs.session import Item, Kind
from rigs.sprayer.base import Placer

_POLL_S = 0.02
_ARRIVAL_S = 60.0
_ARRIVED = 1.0  # mm and degrees; a stage that says it is elsewhere has lost its way


class UnfitError(Exception):
    """What was recorded is not good.

    Attributes:
        reasons: in words.
    """

    def __init__(self, reasons: Sequence[str]) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = tuple(reasons)


def take_image(
    archive: Archive,
    rig: Rig,
    item: Item,
    kinds: Sequence[Kind],
    *,
    attempt: int = 0,
    lights: Sequence[float] = (),
    before: Image | None = None,
    between: Callable[[], None] = lambda: None,
    turning: Callable[[Kind], None] = lambda _kind: None,
) -> list[Take]:
    """Record what an image lacks.

    Args:
        archive: the session.
        rig: open, its camera's frames cut to what is stored.
        item: the image.
        kinds: the clips that it lacks.
        attempt: drawn with for drops and path: another attempt has others.
        lights: around the picture in the session's first controls.
        before: the image shown before this one; None: none was.
        between: called between frames and motions; what it raises ends the recording.
        turning: told which clip comes now.

    Raises:
        UnfitError: if what was recorded is not good by the session's checks.
        DeviceError: if the rig fails.
    """
    settings, checks = archive.settings, archive.settings.checks
    # A world of its own for every attempt: one recorded after a resumption is the one that would have been.
    seed = (settings.seed, item.number, attempt) if attempt else (settings.seed, item.number)
    rig.reseed(seed)
    layout = archive.layout(item)
    path = _path(archive, rig, np.random.default_rng(seed))
    if layout is not None:
        path = [Pose(), *path[1:]]
    takes: list[Take] = []
    geometry, image = settings.geometry, archive.image(item)
    turning("dry")
    rig.sprayer.dry()
    rig.screen.show(image)
    _go(rig, path[0], between)
    rig.clock.sleep(rig.settle_s)
    # The control is filmed even where it is kept already: the clip that follows is the same then to the last pixel.
    control = record_frames(rig.camera, settings.control_frames, between=between)
    judged = (
        control_reasons(checks, control, image, geometry, lights, before=before) if control.frames and checks else ()
    )
    if judged:
        raise UnfitError(judged)
    if "dry" in kinds:
        level = light([frame.image for frame in control.frames], geometry)
        takes.append(Take(item, "dry", control, attempt, level))
    if "wet" in kinds:
        turning("wet")
        _wet(rig, layout, settings.spray_s)
        between()
        rig.stage.follow(path[1:])
        clip = _record(rig, settings.clip_s, between, lenient=checks is not None)
        rig.stage.stop()
        dry = _dry_plate(archive, control, clip)
        sprayed = layout is None and settings.spray_s > 0
        if checks and (reasons := clip_reasons(checks, clip, dry, rig.travel, sprayed=sprayed)):
            raise UnfitError(reasons)
        takes.append(Take(item, "wet", clip, attempt, dry=dry))
    if isinstance(rig.screen, ReadsBack) and (changed := rig.screen.changed()) is not None:
        raise UnfitError([f"{changed} (since the picture was shown)"])
    return takes


def _path(archive: Archive, rig: Rig, chance: np.random.Generator) -> list[Pose]:
    # Where each pose is a stop, the short steps of a curve would hardly get anywhere in a clip.
    smooth = archive.settings.motion == "smooth" and not rig.travel.stops_at_poses
    draw = smooth_path if smooth else random_path
    return draw(chance, rig.travel.radius_mm, rig.travel.angle_deg, archive.settings.clip_s)


def _record(rig: Rig, duration_s: float, between: Callable[[], None], *, lenient: bool) -> Recording:
    try:
        return record_seconds(rig.camera, duration_s, between=between)
    except FramesMissingError as error:
        if not lenient:
            raise
        raise UnfitError([str(error)]) from error


def _dry_plate(archive: Archive, control: Recording, clip: Recording) -> DryPlate | None:
    """Return what to estimate the coverage with; None where the frames say it, or there is no control."""
    if not control.frames or all(frame.drops is not None for frame in clip.frames):
        return None
    return DryPlate([frame.image for frame in control.frames], archive.settings.geometry)


def _wet(rig: Rig, layout: Layout | None, duration_s: float) -> None:
    """Put a layout's drops on the plate, or spray it."""
    if layout is None:
        rig.sprayer.spray(duration_s)
    elif isinstance(rig.sprayer, Placer):
        rig.sprayer.place(layout.drops, duration_s)
    else:
        raise DeviceError("sprayer: cannot place the drops of a layout; record from a folder without layouts")


def _go(rig: Rig, pose: Pose, between: Callable[[], None]) -> None:
    """Move the plate to a pose, wait until it is there, and make sure that it is."""
    rig.stage.follow([pose])
    end_s = rig.clock.now_s() + _ARRIVAL_S
    while rig.stage.is_moving():
        if rig.clock.now_s() > end_s:
            raise DeviceError(f"stage: not at {pose} after {_ARRIVAL_S:.0f} s; look at it, then go on with --resume")
        between()
        rig.clock.sleep(_POLL_S)
    there = rig.stage.pose()
    if there is not None and (
        math.hypot(there.x_mm - pose.x_mm, there.y_mm - pose.y_mm) > _ARRIVED
        or abs(there.angle_deg - pose.angle_deg) > _ARRIVED
    ):
        raise DeviceError(f"stage: says it is at {there}, not at {pose} where it was sent; home it, then --resume")
