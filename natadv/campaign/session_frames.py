"""Frames of a recorded session as pictures: what a camera saw behind a wet plate, and before it was wet."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from natadv.errors import DataError
from natadv.training.pictures import Pictures
from rigs.archive import open_archive
from rigs.session import Kind


def session_frames(
    folder: Path, labels: Sequence[str], size: tuple[int, int], *, kind: Kind = "wet", per_clip: int = 1
) -> Pictures:
    """Return frames evenly spread over each complete clip of a session, rectified, under a model's classes.

    Frames of one clip are kin: with more than one, an interval that takes them for independent is too narrow.

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
    geometry = archive.settings.geometry
    images, targets = [], []
    for item in archive.complete_items():
        if item.label not in labels:
            raise DataError(f"{folder}: label {item.label!r} of image {item.number} is not one of the model's")
        clip = archive.clip(item, kind)
        wanted = set(np.linspace(0, clip.info.frame_count - 1, per_clip + 2)[1:-1].round().astype(int).tolist())
        for number, frame in enumerate(clip.images()):
            if number in wanted:
                images.append(geometry.rectify(frame, size))
                targets.append(list(labels).index(item.label))
    if not images:
        raise DataError(f"{folder}: has no complete clip yet")
    return Pictures(np.stack(images), np.array(targets, np.int64))
