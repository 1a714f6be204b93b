"""The wet-glass renderer's speed on one core, against the lens integral summed over 6 points of the aperture.

Both do all that a camera's frame needs: refraction, film, defocus, gamma to 8 bits, noise. CPU time, medians of
alternating frames, a new pose each.
"""

import statistics
import time
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from natadv.raindrops.drops import Drops
from natadv.raindrops.exact import see_exactly
from natadv.raindrops.glass import Scene, WetGlass
from natadv.raindrops.light import encode
from natadv.raindrops.optics import Optics
from natadv.raindrops.photograph import RandomGlass
from natadv.raindrops.pose import Pose
from natadv.raindrops.presets import PRESETS

_FRAMES = 15
_SAMPLES = 6
_SHOWN = ("medium", "light", "soft")  # the headline, and both ends of the range
_NOISE_CODES = 2.0


def measure() -> list[dict[str, Any]]:
    """Return the rows of this benchmark for benchmarks/results.json; note holds frames per second."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        return [_row(name, *size) for size in ((640, 480), (1280, 720)) for name in _SHOWN] + [_small()]
    finally:
        cv2.setNumThreads(threads)


def _row(name: str, width: int, height: int) -> dict[str, Any]:
    wetness = PRESETS[name]
    rng = np.random.default_rng(0)
    optics = wetness.on(Optics(width_px=width, height_px=height))
    glass = WetGlass(Drops.empty().sprayed(rng, wetness.drops), optics)
    wide = _scene(height * 2, width * 2)
    view = np.ascontiguousarray(wide[height // 2 : height // 2 + height, width // 2 : width // 2 + width])
    scene = Scene(view, wide=wide)
    noise = rng.normal(0, _NOISE_CODES, (height + 64, width + 64, 3)).round().astype(np.int8)

    def camera(linear: NDArray[np.float32]) -> None:
        top, left = rng.integers(0, 64, 2)
        cv2.add(encode(linear), noise[top : top + height, left : left + width], dtype=cv2.CV_8U)

    poses = [Pose(*rng.uniform(-20, 20, 2), rng.uniform(-180, 180)) for _ in range(_FRAMES)]
    fast, exact = [], []
    for pose in (poses[0], *poses):  # the first round warms caches up and does not count
        fast.append(_cpu_s(lambda: camera(glass.see(scene, pose).linear)))  # noqa: B023
        exact.append(_cpu_s(lambda: camera(see_exactly(glass, scene, pose, samples=_SAMPLES))))  # noqa: B023
    fast_s, exact_s = statistics.median(fast[1:]), statistics.median(exact[1:])
    return {
        "name": f"wet_glass_{name}_{width}x{height}",
        "ratio": exact_s / fast_s,
        "ours": 1 / fast_s,
        "reference": 1 / exact_s,
        "reference_name": f"lens integral, {_SAMPLES} aperture samples",
        "unit": "frames/s on one core",
        "better": "higher",
        "note": f"{1 / fast_s:.0f} fps at {width}x{height}, {name} wetness, {len(glass.drops)} drops on the plate, "
        "with gamma and noise, by CPU time",
    }


def _small() -> dict[str, Any]:
    """The augmentation of 64 px pictures, against a budget of 3 ms each."""
    rng = np.random.default_rng(0)
    glass = RandomGlass((64, 64), rng, plates=6)
    picture = rng.integers(0, 256, (64, 64, 3)).astype(np.uint8)
    for _ in range(60):
        glass(picture, rng)
    seconds = statistics.median(_cpu_s(lambda: glass(picture, rng)) for _ in range(200))
    return {
        "name": "random_glass_64px",
        "ratio": 0.003 / seconds,
        "ours": 1 / seconds,
        "reference": 1 / 0.003,
        "reference_name": "budget of 3 ms a picture",
        "unit": "pictures/s on one core",
        "better": "higher",
        "note": f"{seconds * 1e3:.2f} ms a picture, plates already built",
    }


def _cpu_s(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def _scene(height: int, width: int) -> NDArray[np.float32]:
    """Return smooth colours with lines over them: linear light, (height, width, 3)."""
    rng = np.random.default_rng(1)
    coarse = rng.random((9, 16, 3), np.float32)
    scene = np.clip(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), 0, 1)
    for _ in range(80):
        ends = [(int(rng.integers(width)), int(rng.integers(height))) for _ in range(2)]
        cv2.line(scene, *ends, rng.random(3).tolist(), int(rng.integers(1, 8)), cv2.LINE_AA)
    return scene


if __name__ == "__main__":
    for row in measure():
        print(f"{row['name']:32s} {row['ratio']:6.2f} x {row['reference_name']:34s} {row['note']}")
