"""Plan a session: what a person asks for, checked against rig, images and disk before anything is recorded."""

import hashlib
import math
import shutil
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from natadv.data.folder import SOURCE, is_test_split
from natadv.data.origins import read_origins
from natadv.errors import ConfigError, DataError, ResourceError
from natadv.images import Image, labelled_files, read_image
from natadv.raindrops.layout import SUFFIX, load_layout
from rigs.archive import Archive, create_archive
from rigs.camera.simulated import SimulatedCameraSettings
from rigs.geometry import ScreenGeometry, Window
from rigs.rig import RigSettings
from rigs.screen.simulated import SimulatedScreenSettings
from rigs.session import Checks, Item, Motion, Purpose, SessionSettings

# Lossless video has been seen to take 0.45 to 0.6 of the raw bytes, noise being what no codec can foretell.
_STORED_SHARE = 0.6
SPARE_BYTES = 64 << 20
_ALIKE = 0.02  # share by which a bench may differ from that of a layout
_TEST_SEED = 1
_MOVED_PX = 1.0  # so far a picture may lie from where a session's first clips have it


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
    checks: Checks = field(default_factory=Checks)
    motion: Motion = "smooth"


def plan_of(
    images: Path,
    *,
    purpose: str | None = None,
    seed: int | None = None,
    count: int | None = None,
    clip_s: float | None = None,
    spray_s: float | None = None,
    checks: Checks | None = None,
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
        "checks": checks,
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
    if _same_rig(settings.rig) != _same_rig(rig.model_dump(mode="json")):
        raise ConfigError(
            f"{rig.file}: not the rig that {archive.folder} was begun on; give that one, or begin a new session"
        )
    if Path(settings.images).resolve() != plan.images.resolve():
        raise ConfigError(f"{plan.images}: {archive.folder} was begun with the images of {settings.images}; name those")
    _refuse_moved(archive, rig)
    begun = {"count": len(settings.items), **{name: getattr(settings, name) for name in given - {"count"}}}
    if plan.checks and "coverage" not in plan.checks.model_fields_set and settings.checks:
        # Nobody asked for another least coverage; older sessions were begun with another default.
        plan = replace(plan, checks=plan.checks.model_copy(update={"coverage": settings.checks.coverage}))
    for name in sorted(given):
        if getattr(plan, name) != begun[name]:
            raise ConfigError(
                f"{archive.folder}: begun with {name} {begun[name]}, not {getattr(plan, name)}; leave that option out"
            )


def _refuse_moved(archive: Archive, rig: RigSettings) -> None:
    """Refuse to go on where the picture has another place in the frames by now."""
    settings = archive.settings
    left, top, _, _ = settings.crop_px
    grid = np.dstack(np.meshgrid(*[np.linspace(0, 1, 9)] * 2))
    moved = settings.geometry.places(grid) + np.array([left, top]) - rig.geometry().places(grid)
    furthest = float(np.linalg.norm(moved, axis=-1).max())
    if furthest > _MOVED_PX:
        raise ConfigError(
            f"{rig.file}: the picture lies {furthest:.1f} px from where it was when {archive.folder} was begun; move "
            "the bench back and calibrate it, or begin a new session"
        )


def start_session(folder: Path, rig: RigSettings, plan: Plan) -> Archive:
    """Read the images, check the disk, and make the session's folder; nothing is recorded yet.

    Raises:
        ConfigError: if test images are to be recorded for training, or a layout does not go with the rig.
        DataError: if the images cannot be read, or the folder exists.
        ResourceError: if the disk has too little space.
    """
    if folder.exists():
        raise DataError(f"{folder}: exists already; add --resume to go on with it, or name another folder")
    _refuse_test_images(plan)
    items, images, layouts = _choose(plan, rig)
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
        lens=geometry.lens.settings if geometry.lens else None,
        rig_file=rig.file,
        rig=rig.model_dump(mode="json"),
        checks=plan.checks,
        motion=plan.motion,
    )
    check_disk(folder, settings, len(items))
    return create_archive(folder, settings, images, layouts)


def _same_rig(described: dict[str, Any]) -> dict[str, Any]:
    """Return a rig's description with what this version adds to older ones' filled in; but for its faults."""
    try:
        read = RigSettings.fitting(described).model_validate(described).model_dump(mode="json")
    except ValidationError:
        return described
    return {name: value for name, value in read.items() if name != "faults"}


def check_disk(folder: Path, settings: SessionSettings, items: int) -> None:
    """Make sure that the disk can hold `items` more images' clips.

    Raises:
        ResourceError: if it cannot.
    """
    needed = items * image_bytes(settings) + SPARE_BYTES
    existing = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    free = shutil.disk_usage(existing).free
    if free < needed:
        raise ResourceError(
            f"{existing}: {free / 1e9:.2f} GB free, {items} images need about {needed / 1e9:.2f} GB; "
            "free some space, or record fewer images or shorter clips"
        )


def image_bytes(settings: SessionSettings) -> int:
    """Return about how much the clips of one image will take on the disk."""
    left, top, right, bottom = settings.crop_px
    frames = settings.clip_s * settings.fps + settings.control_frames
    return int(frames * (right - left) * (bottom - top) * 3 * _STORED_SHARE)


def _refuse_test_images(plan: Plan) -> None:
    """Refuse to record images of a test split for training."""
    if plan.purpose == "training" and is_test_split(plan.images):
        raise ConfigError(
            f"{plan.images}: images of a test split (see {SOURCE}, or its name); record them with --purpose test"
        )


def _choose(plan: Plan, rig: RigSettings) -> tuple[list[Item], list[Image], dict[int, bytes]]:
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
    origins = read_origins(plan.images, [file.path for file in files])
    items, images, layouts = [], [], {}
    for number, file in enumerate(files):
        images.append(read_image(file.path))
        try:
            rig.screen.check(images[-1].shape[:2])
        except ConfigError as error:
            raise ConfigError(f"{file.path}: {error}") from error
        beside = file.path.with_suffix(SUFFIX)
        if beside.exists():
            _check_layout(beside, rig)
            layouts[number] = beside.read_bytes()
        items.append(
            Item(
                number=number,
                source=str(file.path.relative_to(plan.images)),
                label=file.label,
                sha256=hashlib.sha256(file.path.read_bytes()).hexdigest(),
                drops_sha256=hashlib.sha256(layouts[number]).hexdigest() if number in layouts else None,
                origin=None if origins is None else origins[number],
            )
        )
    return items, images, layouts


def _check_layout(path: Path, rig: RigSettings) -> None:
    """Refuse drops that this rig cannot place, or that were found on another bench, where they do something else."""
    layout = load_layout(path)
    if not rig.sprayer.places or rig.bench is None:
        raise ConfigError(f"{path}: this rig's sprayer cannot place drops; record from a folder without *{SUFFIX}")
    if not isinstance(rig.camera, SimulatedCameraSettings) or not isinstance(rig.screen, SimulatedScreenSettings):
        raise ConfigError(f"{path}: placed drops are for a simulated bench; record from a folder without *{SUFFIX}")
    for name, found, has in (
        ("bench: glass_mm", layout.glass_mm, rig.bench.glass_mm),
        ("camera: aperture_mm", layout.aperture_mm, rig.camera.aperture_mm),
        ("screen: picture_mm", layout.picture_mm, rig.screen.picture_mm),
        ("screen: ground", layout.ambient, rig.screen.ground),
        ("camera: k1", 0.0, rig.camera.k1),
        ("camera: k2", 0.0, rig.camera.k2),
    ):
        if not math.isclose(found, has, rel_tol=_ALIKE, abs_tol=1e-3):
            raise ConfigError(
                f"{path}: found with {name} {found:g}, {rig.file} has {has:g}; change the rig, or attack for this one"
            )


def _crop(
    geometry: ScreenGeometry, frame_size: tuple[int, int], margin: float
) -> tuple[tuple[int, int, int, int], ScreenGeometry]:
    """Return what to store of a frame, the picture and a margin, and the geometry in it."""
    height, width = frame_size
    left, top, right, bottom = geometry.region(frame_size)
    border = round(margin * max(right - left, bottom - top))
    left, top = max(0, left - border), max(0, top - border)
    right, bottom = min(width, right + border), min(height, bottom + border)
    crop = (left, top, right, bottom)
    return crop, geometry.seen_through(Window(*crop))
