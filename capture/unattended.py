"""Unattended: record a session to its end, opening the rig again whenever a device fails.

A failure ends the image that is being recorded, stops the stage, shuts the sprayer and lets the rig go; after a wait it
is opened again, and the image begins anew. Tries without a clip between them are bounded; what is complete is kept, and
`--resume` goes on from there.
"""

import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from typing import cast

from capture.calibration.check import BenchMovedError
from capture.control import Control, Ended, Halted
from capture.deadline import opened_in_time
from capture.desk import Desk
from capture.events import Began, Coverage, Device, DeviceBack, DeviceLost, Outcome, Said, Stopped
from capture.guard import Guard
from capture.hanging import in_time
from capture.journal import Journal
from capture.rules import Rules
from capture.session import Progress, record_session
from capture.tap import Tap
from capture.watchdog import Limits, Watchdog
from natadv.errors import DeviceError, NatadvError
from natadv.raindrops.pose import Pose
from rigs.archive import Archive
from rigs.motion import covered
from rigs.rig import Rig

_DEVICES = ("camera", "screen", "stage", "sprayer")

OpenRig = Callable[[], AbstractContextManager[Rig]]


def record_unattended(
    archive: Archive,
    open_rig: OpenRig,
    desk: Desk,
    rules: Rules,
    *,
    progress: Progress | None = None,
    on_stuck: Callable[[str], None] = lambda _reason: None,
    look: Callable[[Rig], None] | None = None,
) -> Outcome:
    """Record every clip that the session still lacks, through failures of the rig.

    Args:
        archive: the session; `Archive.recover` has been called on it.
        open_rig: opens the rig that the session was planned for.
        desk: who may ask, and who is told.
        rules: how often and how long.
        progress: called after each clip that is noted as complete.
        on_stuck: called from another thread where a device hangs for good and nothing helps but another process.
        look: called first, with a rig of its own, again while devices fail; a BenchMovedError of it ends the session.

    Returns:
        `complete`, or `ended` or `emergency` where that was asked for; the journal's last event says the same.

    Raises:
        DeviceError: if the rig failed too often.
        ResourceError: if the disk is full.
    """
    journal = desk.journal
    manifest = archive.manifest()
    skipped = sum(manifest.fate(item.number).skipped is not None for item in archive.settings.items)
    journal.tell(
        Began(
            images=len(archive.settings.items),
            done=len(archive.complete_items()),
            skipped=skipped,
            clips=len(archive.settings.kinds),
            pid=os.getpid(),
        )
    )
    outcome: Outcome = "failed"
    reason = "of an error in the program, see its output"
    try:
        _record_on(archive, open_rig, desk, rules, progress, on_stuck, look)
        outcome, reason = "complete", _said(archive)
    except Halted as halted:
        outcome, reason = "emergency", f"{halted}; look at the rig, then go on with --resume"
    except Ended as ended:
        outcome, reason = "ended", f"{ended}; --resume goes on"
    except KeyboardInterrupt:
        outcome, reason = "interrupted", "by the terminal or the system; --resume goes on"
        raise
    except NatadvError as error:
        reason = str(error)
        raise
    finally:
        _conclude(archive, journal, Stopped(outcome=outcome, reason=reason))
    return outcome


def _conclude(archive: Archive, journal: Journal, stopped: Stopped) -> None:
    """Tell the end; where the disk is full, listeners hear it, and the error that ended the session says it all."""
    try:
        coverage = in_time(archive.folder, lambda: travelled(archive))
        if stopped.outcome == "complete" and not coverage.enough:
            stopped = stopped.model_copy(update={"reason": f"{stopped.reason}; {coverage.verdict}"})
        journal.tell(coverage)
    except NatadvError as error:
        with suppress(NatadvError):
            journal.tell(Said(words=f"motion: not known ({error})"))
    try:
        journal.tell(stopped)
    except NatadvError:
        if stopped.outcome == "complete":
            raise


def travelled(archive: Archive) -> Coverage:
    """Return how much of the stage's travel the clips of a session have covered."""
    stage = archive.settings.rig.get("stage", {})
    travel_mm, travel_deg = stage.get("travel_mm", 40.0), stage.get("travel_deg", 180.0)
    poses: list[Pose] = []
    records = [record for record in archive.records() if record.kind == "wet"]
    items = {item.number: item for item in archive.settings.items}
    for record in records:
        table = archive.clip(items[record.item], "wet").table()
        columns = (table[name].to_pylist() for name in ("x_mm", "y_mm", "angle_deg"))
        poses += [Pose(x, y, a) for x, y, a in zip(*columns, strict=True) if None not in (x, y, a)]
    disc, angle = covered(poses, travel_mm, travel_deg) if poses else (None, None)
    return Coverage(disc=disc, angle=angle, clips=len(records))


def _record_on(
    archive: Archive,
    open_rig: OpenRig,
    desk: Desk,
    rules: Rules,
    progress: Progress | None,
    on_stuck: Callable[[str], None],
    look: Callable[[Rig], None] | None,
) -> None:
    failures, lost_s, blamed = 0, 0.0, "rig"
    while True:
        known = _known(archive)
        guard = Guard(desk.control, desk.tap, archive.settings.crop_px)
        try:
            if look is not None:
                look_first(open_rig, look, desk.control, desk.tap, rules.limits, on_stuck=on_stuck)
                look = None
            with opened_in_time(open_rig, rules.limits.open_s, on_stuck) as rig:
                if failures:
                    desk.journal.tell(DeviceBack(device=cast(Device, blamed), lost_s=time.monotonic() - lost_s))
                with Watchdog(guard, rig, rules.limits, on_stuck=on_stuck):
                    record_session(archive, rig, progress=progress, desk=desk, guard=guard)
            return
        except BenchMovedError:
            raise
        except DeviceError as error:
            desk.control.check_halted()
            failures = 1 if _known(archive) - known else failures + 1
            named = str(error).partition(":")[0]  # an error says first whose it is
            blamed = named if named in _DEVICES else guard.blamed
            lost_s, wait_s = time.monotonic(), rules.reconnect.wait_s(failures)
            desk.journal.tell(DeviceLost(device=cast(Device, blamed), reason=str(error), tries=failures, wait_s=wait_s))
            if wait_s is None:
                raise
        desk.control.wait(wait_s)
        desk.control.rest()


def look_first(
    open_rig: OpenRig,
    look: Callable[[Rig], None],
    control: Control,
    tap: Tap,
    limits: Limits,
    *,
    on_stuck: Callable[[str], None],
) -> None:
    """Look at a rig before a session, with whole frames, under guard and within reach of an emergency stop.

    Raises:
        Halted: if there was one.
        DeviceError: if a device fails, or as `look`.
    """
    guard = Guard(control, tap)
    with (
        opened_in_time(open_rig, limits.open_s, on_stuck) as rig,
        Watchdog(guard, rig, limits, on_stuck=on_stuck),
        control.holding(rig.stage, rig.sprayer),
    ):
        look(guard.rig(rig))


def _known(archive: Archive) -> set[tuple[int, str, str]]:
    return {(record.item, record.kind, record.pixels_sha256) for record in archive.records()}


def _said(archive: Archive) -> str:
    skipped = len(archive.skipped())
    more = f", {skipped} skipped (--resume --retry-skipped tries them again)" if skipped else ""
    return f"{len(archive.complete_items())} of {len(archive.settings.items)} images recorded{more}"
