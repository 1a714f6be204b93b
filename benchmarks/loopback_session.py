"""A session of real drivers on the loopback bench, and whether what it recorded is what was there.

`python -m benchmarks.loopback_session FOLDER [--images 50]` records a session by the command line, as an operator does,
and then computes every frame again: what the display showed, through the drops of that item's seed, in the pose that
the clip notes. Where the stage is a controller's stand-in, those poses are compared with where it says it was.
"""

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.loopback_truth import checked
from natadv.images import write_image
from rigs.archive import Archive, open_archive
from rigs.clip import Clip
from rigs.loopback import STAGE_TRUTH, loopback
from rigs.rig import RigSettings, load_rig

_EVERY_S, _GRAIN_S = 1.0, 0.002
_SHARES = {"p50": 50, "p99": 99, "max": 100}
_AIM = 0.2  # mm, and degrees


def main() -> None:
    """Record, check and print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, default=50)
    options = parser.parse_args()
    images, session = options.folder / "images", options.folder / "session"
    draw_images(images, options.images)
    with loopback() as names, _Truth(names.get(STAGE_TRUTH)) as truth:
        before, begun_s = os.times(), time.monotonic()
        natadv = Path(sys.executable).with_name("natadv")  # this environment's, activated or not
        command = [str(natadv), "capture", "run", "loopback", str(images), "--out", str(session)]
        subprocess.run(command, env={**os.environ, **names}, check=True, stdout=sys.stderr)  # ours is JSON
        wall_s, after = time.monotonic() - begun_s, os.times()
    cpu_s = after.children_user - before.children_user + after.children_system - before.children_system
    archive = open_archive(session)
    figures = {
        "images": options.images,
        "wall_s": round(wall_s, 1),
        "images_an_hour": round(3600 * options.images / wall_s),
        "cpu_cores": round(cpu_s / wall_s, 2),
        "load_1_min": os.getloadavg()[0],
        **_checked(archive, load_rig(Path("loopback")), truth),
    }
    sys.stdout.write(json.dumps(figures, indent=1) + "\n")


def draw_images(folder: Path, count: int) -> None:
    """Write so many pictures of coloured squares, 64 px, in ten folders."""
    chance = np.random.default_rng(5)
    for number in range(count):
        place = folder / f"{number % 10:02d}"
        place.mkdir(parents=True, exist_ok=True)
        coarse = chance.integers(0, 256, (8, 8, 3), np.uint8)
        write_image(place / f"{number:03d}.png", np.kron(coarse, np.ones((8, 8, 1), np.uint8)))


class _Truth:
    """Where a stand-in says that it was, noted while the session runs; its own memory goes back some minutes."""

    def __init__(self, socket: str | None) -> None:
        self.times: list[float] = []
        self.places: list[tuple[float, ...]] = []
        self._socket = socket
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._note, daemon=True)

    def __enter__(self) -> "_Truth":
        if self._socket:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        if self._socket:
            self._thread.join()

    def _note(self) -> None:
        from rigs.firmware.truth import Truth  # noqa: PLC0415

        with Truth(Path(self._socket or "")) as truth:
            last_s = time.monotonic()
            while not self._ended.wait(_EVERY_S):
                now_s = time.monotonic() - 0.05
                times = np.arange(last_s, now_s, _GRAIN_S).tolist()
                self.places += truth.positions_at(times)
                self.times += times
                last_s = times[-1] + _GRAIN_S


def _checked(archive: Archive, rig: RigSettings, truth: _Truth) -> dict[str, Any]:
    counts, rates, lost, differing, frames, noted = [], [], 0, 0, 0, []
    for one in checked(archive, rig):
        lost += one.record.lost
        differing += one.differing
        frames += len(one.frames)
        for frame in one.frames:
            if frame.pose is not None:
                noted.append((frame.timestamp_s, frame.pose.x_mm, frame.pose.y_mm, frame.pose.angle_deg))
        if one.record.kind == "wet":
            counts.append(len(one.frames))
            rates.append(_rate(one.clip))
    found = {
        "frames_a_clip": [min(counts), max(counts)],
        "fps_by_timestamps": [round(min(rates), 4), round(max(rates), 4)],
        "frames_lost": lost,
        "frames": frames,
        "frames_not_bit_exact": differing,
        "frames_without_pose": frames - len(noted),
    }
    return found | (_poses(np.array(noted), truth) if truth.times else {})


def _rate(clip: Clip) -> float:
    times = clip.table()["timestamp_s"].to_numpy()
    return float((len(times) - 1) / (times[-1] - times[0]))


def _poses(noted: Any, truth: _Truth) -> dict[str, Any]:
    """Return how far the noted poses are from the truth; the machine's zero is where they agree on the median."""
    places = np.array(truth.places)
    there = np.stack([np.interp(noted[:, 0], truth.times, places[:, axis]) for axis in range(3)], 1)
    offset = np.median(there - noted[:, 1:], 0)
    error = np.abs(there - noted[:, 1:] - offset)
    return {
        "machine_at_home": offset.round(3).tolist(),
        "pose_error_mm": _shares(error[:, :2].max(1)),
        "pose_error_deg": _shares(error[:, 2]),
    }


def _shares(errors: Any) -> dict[str, float]:
    """Return what half of the errors, all but a hundredth, and all stay below, and how many are beyond the aim."""
    shares = {name: round(float(np.percentile(errors, share)), 4) for name, share in _SHARES.items()}
    return shares | {f"beyond_{_AIM:g}": int((errors > _AIM).sum())}


if __name__ == "__main__":
    main()
