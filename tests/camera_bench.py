"""Rigs whose camera is a real driver at what stands nearest to its device here; all else of them is simulated."""

import importlib.util
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import yaml

from natadv.raindrops.pose import Pose
from rigs.clip import write_clip
from rigs.frame import DropState, Frame
from tests.rig_files import SIMULATED
from tests.streams import RTSP_FPS, SIZE, mjpeg, rtsp

SERIAL = "0815-0000"  # the emulator's


def picture(number: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Return noise that is another for every number."""
    return np.random.default_rng(number).integers(0, 256, (*size, 3), np.uint8)


def recorded_clip(folder: Path, count: int, *, fps: float = 30.0, lost: tuple[int, ...] = (), begin: int = 0) -> Path:
    """Record so many frames as a clip, less those that were lost."""
    frames = [
        Frame(picture(n), n, 100 + n / fps, Pose(n / 10, -n / 20, n / 5), DropState(n, n / 1000))
        for n in range(begin, begin + count)
        if n - begin not in lost
    ]
    write_clip(folder, frames, fps)
    return folder


def recorded_video(path: Path, count: int, *, fps: int = 30) -> Path:
    """Record so many frames as a lossless video file."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=Fraction(fps))
        stream.width, stream.height, stream.pix_fmt = SIZE[1], SIZE[0], "bgr0"
        for number in range(count):
            frame = av.VideoFrame.from_ndarray(picture(number), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def rig_with(folder: Path, camera: dict[str, Any]) -> Path:
    """Write the simulated rig with another camera."""
    settings = yaml.safe_load(SIMULATED.read_text())
    settings["camera"] = camera
    path = folder / "rig.yaml"
    path.write_text(yaml.safe_dump(settings))
    return path


def needs(module: str, extra: str) -> None:
    """Skip where an optional library is not installed."""
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"needs {module}: pip install '.[{extra}]'")


def simulator_cti() -> Path:
    """Return the GenTL simulator that comes with the genicam wheel."""
    needs("harvesters", "genicam")
    spec = importlib.util.find_spec("genicam")
    assert spec is not None and spec.origin is not None
    cti = Path(spec.origin).with_name("viky.cti")
    if not cti.exists():
        pytest.skip("this genicam wheel has no simulator")
    return cti


@dataclass
class Bench:
    """Where stand-ins are set up, and taken down at the end."""

    folder: Path
    monkeypatch: pytest.MonkeyPatch
    opened: ExitStack = field(default_factory=ExitStack)


def _size(height: int, width: int) -> dict[str, int]:
    return {"height_px": height, "width_px": width}


def _clip(bench: Bench) -> dict[str, Any]:
    clip = recorded_clip(bench.folder / "clip", 90)
    return {"kind": "file", "path": str(clip), "repeat": True, **_size(*SIZE)}


def _video(bench: Bench) -> dict[str, Any]:
    video = recorded_video(bench.folder / "video.mkv", 90)
    return {"kind": "file", "path": str(video), "repeat": True, **_size(*SIZE)}


def _http(bench: Bench) -> dict[str, Any]:
    address = bench.opened.enter_context(mjpeg(10_000, fps=10))
    return {"kind": "network", "address": address, "fps": 10, **_size(*SIZE)}


def _rtsp(bench: Bench) -> dict[str, Any]:
    address, options = bench.opened.enter_context(rtsp())
    return {"kind": "network", "address": address, "options": options, "fps": RTSP_FPS, **_size(*SIZE)}


def basler(bench: Bench) -> dict[str, Any]:
    needs("pypylon", "basler")
    bench.monkeypatch.setitem(os.environ, "PYLON_CAMEMU", "1")
    return {
        "kind": "basler",
        "serial": SERIAL,
        "pixel_format": "RGB8Packed",
        "fps": 10,
        "exposure_s": 0.01,
        "gain": 3.0,
        **_size(*SIZE),
    }


def genicam(bench: Bench) -> dict[str, Any]:
    cti = str(simulator_cti())
    return {"kind": "genicam", "cti": cti, "serial": "1", "pixel_format": "RGBa8", "fps": 10, **_size(240, 320)}


CAMERAS: dict[str, Callable[[Bench], dict[str, Any]]] = {
    "file clip": _clip,
    "file video": _video,
    "network mjpeg": _http,
    "network rtsp": _rtsp,
    "basler": basler,
    "genicam": genicam,
}

CLOCKLESS = ("network mjpeg", "basler", "genicam")
"""Stand-ins without a clock of their own."""


def set_up(name: str, bench: Bench) -> Iterator[Path]:
    """Set a stand-in up, give its rig's file, and take it down."""
    with bench.opened:
        yield rig_with(bench.folder, CAMERAS[name](bench))
