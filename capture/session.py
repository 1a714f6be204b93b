"""A session: plan it, record it, and go on with it where it stopped.

For each clean image: show it, wait for the screen to settle, record the control through dry glass, wet the plate,
and record the clip while the stage carries the plate along a random path. A clip is encoded and written while the
next one is being recorded; its line in the manifest follows its folder's final name, so that whatever is killed,
a clip is either complete and known, complete and found again, or was never there.
"""

import hashlib
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np

from capture.archive import Archive, Item, Kind, Purpose, SessionSettings, create_archive
from capture.recorder import Recording, record_frames, record_seconds
from natadv.errors import DataError, ResourceError
from natadv.images import Image, labelled_files, read_image
from natadv.raindrops.pose import Pose
from rigs.clip import Clip, write_clip
from rigs.frame import Frame
from rigs.geometry import ScreenGeometry
from rigs.motion import random_path
from rigs.rig import Rig, RigSettings

# Lossless video has been seen to take 0.45 to 0.6 of the raw bytes, noise being what no codec can foretell.
_STORED_SHARE = 0.6
_SPARE_BYTES = 64 << 20
_POLL_S = 0.02

Progress = Callable[[Item, Kind], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a person asks of a session; the rest follows from the rig and the images."""

    images: Path
    purpose: Purpose = "training"
    seed: int = 0
    count: int | None = None
    clip_s: float = 5.0
    control_frames: int = 5
    spray_s: float = 1.0
    margin: float = 0.04


def start_session(folder: Path, rig: RigSettings, plan: Plan) -> Archive:
    """Read the images, check the disk, and make the session's folder; nothing is recorded yet.

    Raises:
        DataError: if the images cannot be read, or the folder exists.
        ResourceError: if the disk has too little space.
    """
    if folder.exists():
        raise DataError(f"{folder}: exists already; add --resume to go on with it, or name another folder")
    items, images = _choose(plan)
    crop, geometry = _crop(rig.geometry(), rig.frame_size, plan.margin)
    settings = SessionSettings(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        natadv_version=version("natadv"),
        purpose=plan.purpose,
        seed=plan.seed,
        clip_s=plan.clip_s,
        control_frames=plan.control_frames,
        spray_s=plan.spray_s,
        fps=rig.camera.fps,
        images=str(plan.images),
        items=tuple(items),
        crop_px=crop,
        corners_px=geometry.corners_px,
        rig_file=rig.file,
        rig=rig.model_dump(mode="json"),
    )
    check_disk(folder, settings, len(items))
    return create_archive(folder, settings, images)


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


def check_disk(folder: Path, settings: SessionSettings, items: int) -> None:
    """Make sure that the disk can hold `items` more images' clips.

    Raises:
        ResourceError: if it cannot.
    """
    left, top, right, bottom = settings.crop_px
    frames = settings.clip_s * settings.fps + settings.control_frames
    needed = int(items * frames * (right - left) * (bottom - top) * 3 * _STORED_SHARE) + _SPARE_BYTES
    existing = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    free = shutil.disk_usage(existing).free
    if free < needed:
        raise ResourceError(
            f"{existing}: {free / 1e9:.2f} GB free, {items} images need about {needed / 1e9:.2f} GB; "
            "free some space, or record fewer images or shorter clips"
        )


def _choose(plan: Plan) -> tuple[list[Item], list[Image]]:
    files = labelled_files(plan.images)
    if plan.count is not None and plan.count < len(files):
        chosen = np.random.default_rng(plan.seed).choice(len(files), plan.count, replace=False)
        files = [files[number] for number in sorted(chosen)]
    items, images = [], []
    for number, file in enumerate(files):
        images.append(read_image(file.path))
        items.append(
            Item(
                number=number,
                source=str(file.path.relative_to(plan.images)),
                label=file.label,
                sha256=hashlib.sha256(file.path.read_bytes()).hexdigest(),
            )
        )
    return items, images


def _crop(
    geometry: ScreenGeometry, frame_size: tuple[int, int], margin: float
) -> tuple[tuple[int, int, int, int], ScreenGeometry]:
    """Return what to store of a frame, the picture and a margin, and the geometry in it; sizes are even for x264."""
    height, width = frame_size
    left, top, right, bottom = geometry.region(frame_size)
    border = round(margin * max(right - left, bottom - top))
    left, top = max(0, left - border), max(0, top - border)
    right, bottom = min(width, right + border), min(height, bottom + border)
    right, bottom = right - (right - left) % 2, bottom - (bottom - top) % 2
    (ax, ay), (bx, by), (cx, cy), (dx, dy) = geometry.corners_px
    moved = ScreenGeometry(((ax - left, ay - top), (bx - left, by - top), (cx - left, cy - top), (dx - left, dy - top)))
    return (left, top, right, bottom), moved


def _record_item(archive: Archive, rig: Rig, item: Item, kinds: list[Kind]) -> Iterator[tuple[Kind, Recording]]:
    settings = archive.settings
    # A world of its own for every item: an item recorded after a resumption is the one that would have been.
    rig.reseed((settings.seed, item.number))
    travel = rig.travel
    path = random_path(np.random.default_rng((settings.seed, item.number)), travel.radius_mm, travel.angle_deg)
    rig.sprayer.dry()
    rig.screen.show(archive.image(item))
    _go(rig, path[0])
    rig.clock.sleep(rig.settle_s)
    if "dry" in kinds:
        yield "dry", record_frames(rig.camera, settings.control_frames)
    if "wet" in kinds:
        rig.sprayer.spray(settings.spray_s)
        rig.stage.follow(path[1:])
        yield "wet", record_seconds(rig.camera, settings.clip_s)
        rig.stage.stop()


def _go(rig: Rig, pose: Pose) -> None:
    rig.stage.follow([pose])
    while rig.stage.is_moving():
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
    """Give a function that writes a clip in the background, at most one being written while one is recorded."""
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
