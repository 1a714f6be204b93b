"""Small sessions of plain colours, whose hits are known before a scan finds them."""

from collections.abc import Collection
from pathlib import Path

import numpy as np

from natadv.raindrops.pose import Pose
from rigs.archive import Archive, create_archive
from rigs.clip import write_clip
from rigs.frame import DropState, Frame
from rigs.session import Item, SessionSettings
from tests.tiny_bundle import BLUE, GREEN, RED

COLOURS = {"r": RED, "g": GREEN, "b": BLUE}
LABELS = {"r": "red", "g": "green", "b": "blue"}
FPS = 30.0
WIDTH, HEIGHT = 48, 40
# The picture stands in the middle of a frame whose border has a colour of its own.
CORNERS = ((7.5, 3.5), (39.5, 3.5), (39.5, 35.5), (7.5, 35.5))


def frames_of(letters: str, coverages: list[float] | None, drops: bool) -> list[Frame]:
    """Return a frame per letter, the picture in that colour; a real rig knows no coverage."""
    frames = []
    for number, letter in enumerate(letters):
        image = np.full((HEIGHT, WIDTH, 3), (40, 90, 90), np.uint8)
        image[4:36, 8:40] = np.array(COLOURS[letter]) * 0.8
        state = None
        if coverages is not None:
            state = DropState(9 if drops else 0, coverages[number] if drops else 0.0)
        frames.append(Frame(image, 10 + number, 100 + number / FPS, Pose(number, 0, 0), state))
    return frames


def record(
    folder: Path,
    plan: list[tuple[str, str, str]],
    *,
    purpose: str = "training",
    complete: int | None = None,
    coverages: bool = True,
    labels: dict[str, str] = LABELS,
    placed: Collection[int] = (),
) -> Archive:
    """Make a session of images given as (true colour, colours of the control, colours of the clip).

    The coverage grows over each clip from 0 to just under 0.25. Only the first `complete` images get their clips;
    those `placed` are said to have the drops of a layout.
    """
    items = [
        Item(
            number=number,
            source=f"{labels[letter]}/{number}.png",
            label=labels[letter],
            sha256=f"{number:064d}",
            drops_sha256="0" * 64 if number in placed else None,
        )
        for number, (letter, _, _) in enumerate(plan)
    ]
    settings = SessionSettings(
        created="2026-11-01T00:00:00+00:00",
        natadv_version="0.1.0",
        purpose=purpose,
        seed=4,
        clip_s=1.0,
        control_frames=3,
        spray_s=1.0,
        fps=FPS,
        images="some/images",
        items=tuple(items),
        crop_px=(0, 0, WIDTH, HEIGHT),
        corners_px=CORNERS,
        rig_file="rigs/simulated.yaml",
        rig={"name": "a bench <of colours>", "camera": {"kind": "simulated", "fps": FPS}},
    )
    images = [np.full((32, 32, 3), COLOURS[letter], np.uint8) for letter, _, _ in plan]
    archive = create_archive(folder, settings, images)
    for item, (_, dry, wet) in list(zip(items, plan, strict=True))[:complete]:
        grown = [0.25 * number / len(wet) for number in range(len(wet))]
        for kind, letters in (("dry", dry), ("wet", wet)):
            frames = frames_of(letters, grown if coverages else None, kind == "wet")
            archive.add(item, kind, write_clip(archive.clip_folder(item, kind), frames, FPS), 0)
    return archive
