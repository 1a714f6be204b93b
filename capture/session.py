"""Record a session, and go on with it where it stopped.

For each clean image: show it, wait for the screen to settle, record the control through dry glass, wet the plate,
and record the clip while the stage carries the plate along a random path. Where a layout lies beside the image, as
`natadv attack advrd --bench` writes it, the plate gets its drops instead of a spray, and the path begins at home, where
they were found.

A clip is encoded and written while the next one is being recorded; its line in the manifest follows its folder's final
name, so that whatever is killed, a clip is either complete and known, complete and found again, or was never there.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np

from capture.plan import check_disk
from capture.recorder import Recording, record_frames, record_seconds
from natadv.errors import DeviceError
from natadv.raindrops.layout import Layout
from natadv.raindrops.pose import Pose
from rigs.archive import Archive
from rigs.clip import Clip, write_clip
from rigs.frame import Frame
from rigs.motion import random_path
from rigs.rig import Rig
from rigs.session import Item, Kind
from rigs.sprayer.base import Placer

_POLL_S = 0.02
_ARRIVAL_S = 60.0

Progress = Callable[[Item, Kind], None]


def record_session(archive: Archive, rig: Rig, *, progress: Progress | None = None) -> None:
    """Record every clip that the session still lacks.

    Whatever happens, the stage is stopped and the sprayer shut before this returns or raises.

    Args:
        archive: the session; `Archive.recover` has been called on it.
        rig: an open rig, the one that the session was planned for.
        progress: called after each clip that is noted as complete.

    Raises:
        DeviceError: if the rig fails; what is complete by then is kept.
        ResourceError: if the disk fills up; likewise.
    """
    missing = archive.missing()
    todo: dict[int, list[Kind]] = {}
    for item, kind in missing:
        todo.setdefault(item.number, []).append(kind)
    items = {item.number: item for item in archive.settings.items}
    with _writer(archive, progress) as write, _safe(rig):
        for done, (number, kinds) in enumerate(todo.items()):
            check_disk(archive.folder, archive.settings, len(todo) - done)
            for kind, recording in _record_item(archive, rig, items[number], kinds):
                write(items[number], kind, recording)


def _record_item(archive: Archive, rig: Rig, item: Item, kinds: list[Kind]) -> Iterator[tuple[Kind, Recording]]:
    settings = archive.settings
    # A world of its own for every item: an item recorded after a resumption is the one that would have been.
    rig.reseed((settings.seed, item.number))
    travel = rig.travel
    chance = np.random.default_rng((settings.seed, item.number))
    path = random_path(chance, travel.radius_mm, travel.angle_deg, settings.clip_s)
    layout = archive.layout(item)
    if layout is not None:
        path = [Pose(), *path[1:]]
    rig.sprayer.dry()
    rig.screen.show(archive.image(item))
    _go(rig, path[0])
    rig.clock.sleep(rig.settle_s)
    # The control is filmed even where it is kept already: the clip that follows is the same then to the last pixel.
    control = record_frames(rig.camera, settings.control_frames)
    if "dry" in kinds:
        yield "dry", control
    if "wet" in kinds:
        _wet(rig, layout, settings.spray_s)
        rig.stage.follow(path[1:])
        yield "wet", record_seconds(rig.camera, settings.clip_s)
        rig.stage.stop()


def _wet(rig: Rig, layout: Layout | None, duration_s: float) -> None:
    """Put a layout's drops on the plate, or spray it."""
    if layout is None:
        rig.sprayer.spray(duration_s)
    elif isinstance(rig.sprayer, Placer):
        rig.sprayer.place(layout.drops, duration_s)
    else:
        raise DeviceError("sprayer: cannot place the drops of a layout; record from a folder without layouts")


def _go(rig: Rig, pose: Pose) -> None:
    """Move the plate to a pose and wait until it is there."""
    rig.stage.follow([pose])
    end_s = rig.clock.now_s() + _ARRIVAL_S
    while rig.stage.is_moving():
        if rig.clock.now_s() > end_s:
            raise DeviceError(f"stage: not at {pose} after {_ARRIVAL_S:.0f} s; look at it, then go on with --resume")
        rig.clock.sleep(_POLL_S)


@contextmanager
def _safe(rig: Rig) -> Iterator[None]:
    try:
        yield
    finally:
        rig.stage.stop()
        rig.sprayer.close()


@contextmanager
def _writer(archive: Archive, progress: Progress | None) -> Iterator[Callable[[Item, Kind, Recording], None]]:
    """Give a function that writes a clip in the background; at most two wait while one is recorded."""
    left, top, right, bottom = archive.settings.crop_px
    pending: list[Future[None]] = []

    def store(item: Item, kind: Kind, recording: Recording) -> None:
        frames = [
            Frame(f.image[top:bottom, left:right], f.index, f.timestamp_s, f.pose, f.drops) for f in recording.frames
        ]
        clip: Clip = write_clip(archive.clip_folder(item, kind), frames, archive.settings.fps)
        archive.add(item, kind, clip, recording.lost)
        if progress:
            progress(item, kind)

    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="clip-writer") as pool:

        def write(item: Item, kind: Kind, recording: Recording) -> None:
            while len(pending) > 1:
                pending.pop(0).result()
            pending.append(pool.submit(store, item, kind, recording))

        yield write
        for future in pending:
            future.result()
