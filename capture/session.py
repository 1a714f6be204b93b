"""A session: plan it, record it, and go on with it where it stopped.

For each clean image: show it, wait for the screen to settle, record the control through dry glass, wet the plate,
and record the clip while the stage carries the plate along a random path. Where a layout lies beside the image, as
`natadv attack advrd --bench` writes it, the plate gets its drops instead of a spray, and the path begins at home, where
they were found. A clip is encoded and written while the
next one is being recorded; its line in the manifest follows its folder's final name, so that whatever is killed,
a clip is either complete and known, complete and found again, or was never there.
"""

import hashlib
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import numpy as np

from capture.archive import Archive, Item, Kind, Purpose, SessionSettings, create_archive
from capture.recorder import Recording, record_frames, record_seconds
from natadv.data.folder import SOURCE, is_test_split
from natadv.errors import ConfigError, DataError, DeviceError, ResourceError
from natadv.images import Image, labelled_files, read_image
from natadv.raindrops.drops import Drops
from natadv.raindrops.layout import SUFFIX, load_layout
from natadv.raindrops.pose import Pose
from rigs.clip import Clip, write_clip
from rigs.frame import Frame
from rigs.geometry import ScreenGeometry
from rigs.motion import random_path
from rigs.rig import Rig, RigSettings
from rigs.sprayer.base import Placer

# Lossless video has been seen to take 0.45 to 0.6 of the raw bytes, noise being what no codec can foretell.
_STORED_SHARE = 0.6
_SPARE_BYTES = 64 << 20
_POLL_S = 0.02
_ARRIVAL_S = 60.0

Progress = Callable[[Item, Kind], None]

_TEST_SEED = 1


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


def plan_of(
    images: Path,
    *,
    purpose: str | None = None,
    seed: int | None = None,
    count: int | None = None,
    clip_s: float | None = None,
    spray_s: float | None = None,
) -> Plan:
    """Return the plan that a person's options make; None leaves the plan's own default.

    A test session's seed is by default another than a training session's, or both would have the same drops and paths.

    Raises:
        ConfigError: if the purpose is none.
    """
    if purpose not in (None, "training", "test"):
        raise ConfigError(f"--purpose {purpose}: expected training or test")
    given: dict[str, Any] = {
        "purpose": purpose,
        "seed": seed,
        "count": count,
        "clip_s": clip_s,
        "spray_s": spray_s,
    }
    if seed is None and purpose == "test":
        given["seed"] = _TEST_SEED
    return replace(Plan(images), **{name: value for name, value in given.items() if value is not None})


def check_plan(archive: Archive, rig: RigSettings, plan: Plan, given: set[str]) -> None:
    """Make sure that a session is gone on with as it was begun.

    Args:
        archive: the session.
        rig: the rig to go on with.
        plan: what is asked now.
        given: the plan's fields that were asked for, not left out.

    Raises:
        ConfigError: if rig, images, or a given option differ from the session's.
    """
    settings = archive.settings
    if settings.rig != rig.model_dump(mode="json"):
        raise ConfigError(
            f"{rig.file}: not the rig that {archive.folder} was begun on; give that one, or begin a new session"
        )
    if Path(settings.images).resolve() != plan.images.resolve():
        raise ConfigError(f"{plan.images}: {archive.folder} was begun with the images of {settings.images}; name those")
    begun = {"count": len(settings.items), **{name: getattr(settings, name) for name in given - {"count"}}}
    for name in sorted(given):
        if getattr(plan, name) != begun[name]:
            raise ConfigError(
                f"{archive.folder}: begun with {name} {begun[name]}, not {getattr(plan, name)}; leave that option out"
            )


def start_session(folder: Path, rig: RigSettings, plan: Plan) -> Archive:
    """Read the images, check the disk, and make the session's folder; nothing is recorded yet.

    Raises:
        ConfigError: if test images are to be recorded for training.
        DataError: if the images cannot be read, or the folder exists.
        ResourceError: if the disk has too little space.
    """
    if folder.exists():
        raise DataError(f"{folder}: exists already; add --resume to go on with it, or name another folder")
    _refuse_test_images(plan)
    items, images, layouts = _choose(plan)
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
        images=str(plan.images.resolve()),
        items=tuple(items),
        crop_px=crop,
        corners_px=geometry.corners_px,
        rig_file=rig.file,
        rig=rig.model_dump(mode="json"),
    )
    check_disk(folder, settings, len(items))
    return create_archive(folder, settings, images, layouts)


def record_session(archive: Archive, rig: Rig, *, progress: Progress | None = None) -> None:
    """Record every clip that the session still lacks.

    Whatever happens, the stage is stopped and the sprayer shut before this returns or raises.

    Args:
        archive: the session; `Archive.recover` has been called on it.
        rig: an open rig, the one that the session was planned for.
        progress: called after each clip that is noted as complete.

    Raises:
        ConfigError: if images have layouts and the rig's sprayer cannot place drops.
        DeviceError: if the rig fails; what is complete by then is kept.
        ResourceError: if the disk fills up; likewise.
    """
    missing = archive.missing()
    todo: dict[int, list[Kind]] = {}
    for item, kind in missing:
        todo.setdefault(item.number, []).append(kind)
    items = {item.number: item for item in archive.settings.items}
    placed = sum(item.drops_sha256 is not None for item in items.values())
    if placed and not isinstance(rig.sprayer, Placer):
        raise ConfigError(
            f"{archive.folder}: {placed} images have layouts beside them, whose drops this rig's sprayer cannot place; "
            "begin a session with a folder without *.drops.json"
        )
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


def _refuse_test_images(plan: Plan) -> None:
    """Refuse to record images of a test split for training."""
    if plan.purpose == "training" and is_test_split(plan.images):
        raise ConfigError(
            f"{plan.images}: images of a test split (see {SOURCE}, or its name); record them with --purpose test"
        )


def _choose(plan: Plan) -> tuple[list[Item], list[Image], dict[int, bytes]]:
    """Return the images of a session, and the files of their layouts, by number, where they have one."""
    if (plan.images / "train").is_dir() and (plan.images / "test").is_dir():
        raise ConfigError(
            f"{plan.images}: holds train/ and test/, not labels; choose images of one with `natadv data export`"
        )
    files = labelled_files(plan.images)
    if plan.count is not None and plan.count > len(files):
        raise ConfigError(f"{plan.images}: holds {len(files)} images, fewer than the {plan.count} asked for")
    if plan.count is not None and plan.count < len(files):
        chosen = np.random.default_rng(plan.seed).choice(len(files), plan.count, replace=False)
        files = [files[number] for number in sorted(chosen)]
    items, images, layouts = [], [], {}
    for number, file in enumerate(files):
        images.append(read_image(file.path))
        beside = file.path.with_suffix(SUFFIX)
        if beside.exists():
            load_layout(beside)  # before anything is recorded
            layouts[number] = beside.read_bytes()
        items.append(
            Item(
                number=number,
                source=str(file.path.relative_to(plan.images)),
                label=file.label,
                sha256=hashlib.sha256(file.path.read_bytes()).hexdigest(),
                drops_sha256=hashlib.sha256(layouts[number]).hexdigest() if number in layouts else None,
            )
        )
    return items, images, layouts


def _crop(
    geometry: ScreenGeometry, frame_size: tuple[int, int], margin: float
) -> tuple[tuple[int, int, int, int], ScreenGeometry]:
    """Return what to store of a frame, the picture and a margin, and the geometry in it."""
    height, width = frame_size
    left, top, right, bottom = geometry.region(frame_size)
    border = round(margin * max(right - left, bottom - top))
    left, top = max(0, left - border), max(0, top - border)
    right, bottom = min(width, right + border), min(height, bottom + border)
    (ax, ay), (bx, by), (cx, cy), (dx, dy) = geometry.corners_px
    moved = ScreenGeometry(((ax - left, ay - top), (bx - left, by - top), (cx - left, cy - top), (dx - left, dy - top)))
    return (left, top, right, bottom), moved


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


def _wet(rig: Rig, layout: Drops | None, duration_s: float) -> None:
    """Put a layout's drops on the plate, or spray it."""
    if layout is None:
        rig.sprayer.spray(duration_s)
    else:
        # The session made sure of it before anything was recorded.
        cast(Placer, rig.sprayer).place(layout, duration_s)


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
