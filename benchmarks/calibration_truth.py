"""A calibration of the loopback bench beside the truth, which is known there.

`python -m benchmarks.calibration_truth FOLDER` calibrates rigs/loopback.yaml twice, as it is and through a lens of
k1 = -0.08 with noise, and writes `calibration.json` and the page of the second. Known are: where the picture lies (from
the two places on the display, and the lens); that codes come out as they went in; and when the screen changed, as a
process of its own reads a few pixels of the display's memory every millisecond or so, over a connection of its own.
"""

import argparse
import json
import multiprocessing
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Self

import cv2
import numpy as np

from capture.calibration.page import write_page
from capture.calibration.run import Calibrated, calibrate
from capture.calibration.timing import Flash, TimingFinding
from natadv.durable import replace_file
from rigs.camera.base import Camera, CameraInfo
from rigs.frame import Frame
from rigs.geometry import ScreenGeometry
from rigs.lens import Lens
from rigs.loopback import loopback
from rigs.rig import Rig, RigSettings, load_rig
from rigs.screen.base import OnDisplay

K1, _NOISE = -0.08, 1.0  # in units of the frame's half diagonal; codes
_LOOK_S = 0.0005
_SIDE_PX = 8
_LIGHT = 127
_GRID = np.dstack(np.meshgrid(np.linspace(0, 1, 21), np.linspace(0, 1, 21)))

Change = tuple[bool, float, float]
"""Whether it became light; the beginning of the last look without it; the end of the first with it."""


def main() -> None:
    """Calibrate, compare and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    figures: dict[str, Any] = {"load_1_min": os.getloadavg()[0]}
    with loopback() as names:
        os.environ |= names
        settings = load_rig(Path("loopback"))
        for name, rig in (("as it is", settings), ("behind a lens, with noise", Bent(settings))):
            with Watched(settings.screen.on_display()) as watched:
                done = calibrate(rig)
            figures[name] = compared(done, rig.geometry(), watched.changes)
            write_page(folder / "calibration.html", done, "rigs/loopback.yaml")
    replace_file(folder / "calibration.json", (json.dumps(figures, indent=1) + "\n").encode())
    sys.stdout.write(json.dumps(figures, indent=1) + "\n")


def compared(done: Calibrated, true: ScreenGeometry, changes: Sequence[Change]) -> dict[str, Any]:
    """Return what was found of a bench beside what is true."""
    found = done.calibration
    off = np.linalg.norm(found.geometry.places(_GRID) - true.places(_GRID), axis=-1)
    camera = found.measure("gamma of the camera").value
    spread = found.measure("latency, screen to frame").uncertainty
    (timing,) = (one for one in done.findings if isinstance(one, TimingFinding))
    return {
        "reprojection_px": round(found.measure("reprojection error").value or 0.0, 4),
        "places_off_px": {"rms": round(float(np.sqrt((off**2).mean())), 4), "max": round(float(off.max()), 4)},
        "gamma_of_both_off_percent": round(100 * ((found.measure(BOTH).value or 0.0) - 1), 3),
        "gamma_of_the_camera": None if camera is None else round(camera, 4),
        "latency_uncertainty_ms": round(spread or 0.0, 2),
        **latencies(timing.latency_s, timing.flashes, changes, done.calibration.devices["camera"]["fps"]),
    }


BOTH = "gamma of both, screen's code to camera's"


def latencies(found_s: float, flashes: Sequence[Flash], changes: Sequence[Change], fps: float) -> dict[str, Any]:
    """Return the latency that was found by flashes, the true one, and how far apart they are."""
    true = [change_after(flash, changes) for flash in flashes]
    middles = np.array([(begin + end) / 2 - flash.called_s for (begin, end), flash in zip(true, flashes, strict=True)])
    flips = np.array([flash.flipped_s - flash.called_s for flash in flashes if flash.flipped_s is not None])
    off_s = found_s - float(middles.mean())
    beyond = [
        max(flash.before_s - end, begin - flash.after_s, 0.0) for (begin, end), flash in zip(true, flashes, strict=True)
    ]
    return {
        "flashes": len(flashes),
        "latency_ms": round(1e3 * found_s, 2),
        "true_latency_ms": round(1e3 * float(middles.mean()), 2),
        "true_latency_known_to_ms": round(5e2 * max(end - begin for begin, end in true), 2),
        "latency_off_ms": round(1e3 * off_s, 2),
        "latency_off_frames": round(fps * off_s, 3),
        "flip_ms": round(1e3 * float(flips.mean()), 2) if len(flips) else None,
        "flashes_outside_their_frames": sum(one > 0 for one in beyond),
        "largest_outside_ms": round(1e3 * max(beyond), 2),
    }


def change_after(flash: Flash, changes: Sequence[Change]) -> tuple[float, float]:
    """Return between when and when the display changed for a flash."""
    return next(
        (begin, end) for light, begin, end in changes if light == (flash.code > _LIGHT) and end > flash.called_s
    )


class Watched:
    """Notes when the middle of a picture on a display changes, in a process of its own, as a context manager."""

    def __init__(self, where: OnDisplay | None) -> None:
        """Prepare; `where` is the picture."""
        if where is None:
            raise ValueError("expected a screen on a display")
        self.changes: list[Change] = []
        context = multiprocessing.get_context("spawn")
        self._line, theirs = context.Pipe()
        self._process = context.Process(target=_watch, args=(theirs, where), daemon=True)

    def __enter__(self) -> Self:
        """Begin."""
        self._process.start()
        if not self._line.poll(60):
            raise TimeoutError("the process that watches the display does not begin")
        self._line.recv()
        return self

    def __exit__(self, *_: object) -> None:
        """End, and have the changes."""
        self._line.send("end")
        self.changes = self._line.recv() if self._line.poll(60) else []
        self._process.join(10)
        self._process.kill()


def _watch(line: "Connection[Any, Any]", where: OnDisplay) -> None:
    from rigs.screen.desktop import Box, Desktop  # noqa: PLC0415  # xcffib, where it is needed

    desktop = Desktop(where.display)
    middle = Box(where.left + where.width // 2, where.top + where.height // 2, _SIDE_PX, _SIDE_PX)
    changes: list[Change] = []
    before_s, light = time.monotonic(), desktop.pixels(middle).mean() > _LIGHT
    line.send("begun")
    while not line.poll(_LOOK_S):
        begin_s = time.monotonic()
        now = desktop.pixels(middle).mean() > _LIGHT
        if now != light:
            changes.append((bool(now), before_s, time.monotonic()))
        before_s, light = begin_s, now
    line.send(changes)


class Bent:
    """A rig's settings whose camera sees through a lens of k1 = -0.08, with noise."""

    def __init__(self, settings: RigSettings) -> None:
        """Take the settings."""
        self._settings = settings

    def __getattr__(self, name: str) -> Any:
        """Return what else they say."""
        return getattr(self._settings, name)

    def geometry(self) -> ScreenGeometry:
        """Return where the picture lies."""
        height, width = self._settings.camera.frame_size
        corners = self._settings.geometry().corners_px
        lens = Lens(K1, 0.0, ((width - 1) / 2, (height - 1) / 2), float(np.hypot(width, height) / 2))
        bent = [tuple(lens.bend(np.array(corner)).tolist()) for corner in corners]
        return ScreenGeometry((bent[0], bent[1], bent[2], bent[3]), lens)

    @contextmanager
    def open(self, **how: Any) -> Iterator[Rig]:
        """Open the rig behind the lens."""
        lens = self.geometry().lens
        assert lens is not None  # noqa: S101
        with self._settings.open(**how) as rig:
            yield replace(rig, camera=_BentCamera(rig.camera, lens))


class _BentCamera:
    def __init__(self, camera: Camera, lens: Lens) -> None:
        self._camera = camera
        info = camera.info
        seen = np.dstack(np.meshgrid(np.arange(info.width_px), np.arange(info.height_px))).astype(np.float64)
        self._from = lens.straighten(seen).astype(np.float32)
        self._chance = np.random.default_rng(0)

    @property
    def info(self) -> CameraInfo:
        return self._camera.info

    def read(self) -> Frame:
        frame = self._camera.read()
        bent = cv2.remap(frame.image, self._from[..., 0], self._from[..., 1], cv2.INTER_LINEAR)
        noisy = bent + self._chance.normal(0, _NOISE, bent.shape)
        return Frame(np.clip(np.rint(noisy), 0, 255).astype(np.uint8), frame.index, frame.timestamp_s)

    def close(self) -> None:
        self._camera.close()


if __name__ == "__main__":
    main()
