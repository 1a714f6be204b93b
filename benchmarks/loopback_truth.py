"""What a session on the loopback bench must have recorded, computed again from what was shown."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from natadv.raindrops.drops import Drops
from natadv.raindrops.pose import Pose
from rigs.archive import Archive
from rigs.camera.wet import Rain
from rigs.clip import Clip
from rigs.frame import Frame
from rigs.rig import RigSettings
from rigs.session import ClipRecord


@dataclass
class Checked:
    """A clip, and how many of its frames are not what they should be."""

    record: ClipRecord
    clip: Clip
    frames: list[Frame]
    differing: int


def checked(archive: Archive, rig: RigSettings) -> Iterator[Checked]:
    """Yield every complete clip of a session, each frame of it compared bit for bit.

    Expected is what the display showed for the item, through the drops of the item's seed, in the pose that the clip
    notes for the frame; so a frame of another picture differs, and one that is torn.
    """
    settings = archive.settings
    camera: Any = rig.camera
    screen: Any = rig.screen
    sprayer: Any = rig.sprayer
    grab = camera.camera
    rain = Rain(camera.optics(rig.bench), rig.geometry(), rig.bench.ambient)  # type: ignore[union-attr]
    left, top, right, bottom = settings.crop_px
    items = {item.number: item for item in settings.items}
    for record in archive.records():
        item = items[record.item]
        drawn = screen.layout.drawn(archive.image(item))
        seen = drawn[grab.top_px : grab.top_px + grab.height_px, grab.left_px : grab.left_px + grab.width_px]
        plate = Drops.empty()
        if record.kind == "wet":
            seed = (settings.seed, item.number, *([record.attempt] if record.attempt else []))
            amount = sprayer.amount * settings.spray_s
            plate = plate.sprayed(np.random.default_rng(seed), sprayer.parameters, amount)
        clip = archive.clip(item, record.kind, record)
        clip.verify()
        frames = list(clip.frames())
        differing = sum(
            not np.array_equal(frame.image, rain.over(seen, plate, frame.pose or Pose())[0][top:bottom, left:right])
            for frame in frames
        )
        yield Checked(record, clip, frames, differing)
