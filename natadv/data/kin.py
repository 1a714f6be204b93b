"""Kin: images of one thing, which tell less than as many images of different things do.

GTSRB has thirty frames of each sign, TRACK_FRAME in its files' names. ImageNet-A-Plus (Li et al. 2021) has crops of
ImageNet-A's photographs, and one of the same label and name is taken for its crop. Elsewhere an image is its own kin:
that of GTSRB's official test part too, whose frames are shuffled and whose names tell no track.
"""

import re
from collections.abc import Sequence

_FRAME_OF_TRACK = re.compile(r"(?P<track>.*\d{5})_\d{5}\.\w+")
_PHOTOGRAPH = re.compile(r"imagenet-a(?:-plus)?/(?P<name>.+)\.\w+")


def kin_of(source: str) -> str:
    """Return what a source is a picture of, as far as its name says: a track, a photograph, or the source itself."""
    if track := _FRAME_OF_TRACK.fullmatch(source):
        return track["track"]
    photograph = _PHOTOGRAPH.fullmatch(source)
    return f"imagenet-a/{photograph['name']}" if photograph else source


def counted_by(kin: Sequence[str]) -> str:
    """Return how an interval counts images, in words: by kin where some are of one thing, else by image."""
    return counted_things(len(set(kin)), len(kin))


def counted_things(things: int, images: int) -> str:
    """Return the same, of so many things and images."""
    return "by image" if things == images else f"by kin, {things} in {images} images"
