"""Frames of a recorded session as pictures: what a camera saw behind a wet plate, and before it was wet."""

from collections.abc import Container, Sequence
from pathlib import Path

import numpy as np

from natadv.data.kin import kin_of
from natadv.errors import DataError
from natadv.images import Image
from natadv.training.pictures import Pictures
from rigs.archive import Archive, open_archive
from rigs.session import Item, Kind


def session_frames(
    folder: Path, labels: Sequence[str], size: tuple[int, int], *, kind: Kind = "wet", per_clip: int = 1
) -> Pictures:
    """Return frames evenly spread over each complete clip of a session, rectified, under a model's classes.

    Frames of one clip are kin, and so are those of all images of one thing, as far as the names of what they were
    copied from say, or their own.

    Args:
        folder: the session's.
        labels: the model's; a session of classes that it lacks is refused.
        size: height and width that they are scaled to.
        kind: wet or dry clips.
        per_clip: frames of each, the middle one for 1; a shorter clip gives all it has.

    Raises:
        DataError: if it is no session, has no complete clip, one that nobody labelled or whose label the model lacks,
            or a clip is torn.
    """
    archive = open_archive(folder)
    images: list[Image] = []
    targets: list[int] = []
    kin: list[str] = []
    for item in archive.complete_items():
        if item.label not in labels:
            raise DataError(f"{folder}: label {item.label!r} of image {item.number} is not one of the model's")
        spread = _spread(archive.clip(item, kind).info.frame_count, per_clip)
        shown = clip_pictures(archive, item, kind, size, spread)
        images += shown
        targets += [list(labels).index(item.label)] * len(shown)
        kin += [kin_of(item.origin or item.source)] * len(shown)
    if not images:
        raise DataError(f"{folder}: has no complete clip yet")
    return Pictures(np.stack(images), np.array(targets, np.int64), tuple(kin))


def clip_pictures(
    archive: Archive, item: Item, kind: Kind, size: tuple[int, int], wanted: Container[int] | None = None
) -> list[Image]:
    """Return frames of a clip, rectified, uint8 RGB (h, w, 3), in order.

    Args:
        archive: the session.
        item: what was shown.
        kind: wet or dry clip.
        size: height and width that they are scaled to.
        wanted: numbers of the frames; None for all.

    Raises:
        ClipError: if the clip is torn.
    """
    geometry = archive.settings.geometry
    return [
        geometry.rectify(frame, size)
        for number, frame in enumerate(archive.clip(item, kind).images())
        if wanted is None or number in wanted
    ]


def _spread(frames: int, count: int) -> set[int]:
    return set(np.linspace(0, frames - 1, count + 2)[1:-1].round().astype(int).tolist())
