"""What the live loop costs beside the bare model, with the loops that people write beside it.

The source is a 640x480 H.264 film, looked at frame by frame: decoding, resizing, chance, answers, sinks, everything
that `natadv edge run` does but printing. Weights are random: they cost the same as trained ones. One thread for each
model. Beside them is the bare model while another process decodes the film as fast as the live loop does: what memory
and caches that two cores share leave of it, before any Python runs.
"""

import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime as ort

from benchmarks.film import FRAMES, Nobody, decoded_beside, write_film
from benchmarks.peers import missing, peers
from edge.classifier import Classifier
from edge.live import Live, run
from edge.opening import open_source
from edge.slot import Slot
from edge.source import SourceOptions
from export.checkpoint import export_classifier
from natadv.models.classifier import create_classifier
from natadv.models.super_resolution.create import DEFAULT_NETWORK, PHOTOGRAPH_NETWORK, create_super_resolution
from natadv.training.checkpoint import LoadedClassifier
from natadv.training.rain.checkpoint import LoadedNetwork

CASES = ((64, "resnet18", 43, DEFAULT_NETWORK), (224, "mobilenetv2_100", 1000, PHOTOGRAPH_NETWORK))


@dataclass
class Run:
    """Frames a second, and milliseconds of CPU a frame."""

    fps: float
    cpu_ms: float


def measure(*, rounds: int = 5) -> Iterator[dict[str, Any]]:
    """Yield the rows of this benchmark for benchmarks/results.json."""
    with tempfile.TemporaryDirectory() as scratch:
        film = write_film(Path(scratch) / "film.mp4")
        for side, name, classes, network in CASES:
            for behind in (None, network):
                bundle = _bundle(Path(scratch), side, name, classes, behind)
                others = {} if behind else peers(*_model(side, name, classes), film, Path(scratch))
                yield _rate_row(film, bundle, side, name, behind, rounds, others)


def _rate_row(
    film: Path,
    bundle: Path,
    side: int,
    name: str,
    behind: str | None,
    rounds: int,
    others: dict[str, Callable[[], int]],
) -> dict[str, Any]:
    with Classifier(bundle, device="cpu", threads=1) as classifier:
        found: dict[str, list[Run]] = {}
        loops: dict[str, Callable[[], Run]] = {
            "bare": lambda: _timed(lambda: _bare(classifier)),
            "live": lambda: _timed(lambda: _live(classifier, film)),
            "bare with decoding beside": lambda: _bare_beside(classifier, film, found["live"][-1].fps),
        }
        if behind is None:
            loops["cv2 loop"] = lambda: _timed(lambda: _cv2_loop(classifier, film))
            loops["cv2.dnn loop"] = lambda: _timed(lambda: _dnn_loop(bundle / "model.onnx", film, side))
        for other, look in others.items():
            look()  # the first time it imports half the world
            loops[f"{other} loop"] = partial(_timed, look)
        found |= {loop: [] for loop in loops}
        failed: dict[str, str] = {}
        for _ in range(rounds):
            for loop, work in loops.items():
                if loop in failed:
                    continue
                try:
                    found[loop].append(work())
                except cv2.error as error:
                    failed[loop] = f"{loop} cannot run it ({str(error).splitlines()[0][-60:]})"
    fps = {loop: statistics.median(one.fps for one in runs) for loop, runs in found.items() if runs}
    cpu = {loop: statistics.median(one.cpu_ms for one in runs) for loop, runs in found.items() if runs}
    beside = ", ".join(
        [
            f"{loop} {fps[loop] / fps['bare']:.2f} ({cpu[loop]:.1f} ms CPU)"
            for loop in fps
            if loop not in ("bare", "live")
        ]
        + list(failed.values())
        + ([] if behind else [f"{one} is not installed" for one in missing()])
    )
    return {
        "name": f"live_over_bare_{'rain_' if behind else ''}{side}",
        "ratio": fps["live"] / fps["bare"],
        "ours": fps["live"],
        "reference": fps["bare"],
        "reference_name": f"bare session.run of {name}{f' behind {behind}' if behind else ''} at {side} px",
        "unit": "frames/s",
        "better": "higher",
        "note": f"640x480 H.264 film, ONNX Runtime {ort.__version__}, 1 thread; CPU {cpu['live']:.1f} ms a frame, bare"
        f" {cpu['bare']:.1f}{f'; {beside}' if beside else ''}",
    }


def _timed(work: Callable[[], int]) -> Run:
    begin_s, cpu_s = time.perf_counter(), _cpu_s()
    frames = work()
    return Run(frames / (time.perf_counter() - begin_s), 1e3 * (_cpu_s() - cpu_s) / frames)


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _bare(classifier: Classifier) -> int:
    frames = classifier.prepare([np.zeros((480, 640, 3), np.uint8)])
    numbers = None if classifier.noise is None else [0]
    chance = {} if classifier.noise is None or numbers is None else classifier.noise.at(numbers)
    session: Any = classifier._session  # noqa: SLF001  # the limit is the very same session without anything around it
    feed = {"frames": frames, **chance}
    for _ in range(FRAMES):
        session.run(None, feed)
    return FRAMES


def _bare_beside(classifier: Classifier, film: Path, fps: float) -> Run:
    with decoded_beside(film, classifier.input_size, fps):
        return _timed(lambda: _bare(classifier))


def _live(classifier: Classifier, film: Path) -> int:
    live = Live(Slot(classifier))
    return run(live, lambda: open_source(str(film), SourceOptions(fast=True)), [Nobody()], every=True).predicted


def _cv2_loop(classifier: Classifier, film: Path) -> int:
    """The loop that people write: read, resize, ask, one after another."""
    session: Any = classifier._session  # noqa: SLF001  # as above
    height, width = classifier.input_size
    video, count = cv2.VideoCapture(str(film)), 0
    while True:
        ok, bgr = video.read()
        if not ok:
            return count
        rgb = cv2.cvtColor(cv2.resize(bgr, (width, height)), cv2.COLOR_BGR2RGB)
        session.run(None, {"frames": rgb[None]})
        count += 1


def _dnn_loop(model: Path, film: Path, side: int) -> int:
    """The same with OpenCV's own runtime."""
    cv2.setNumThreads(1)
    net = cv2.dnn.readNetFromONNX(str(model))
    video, count = cv2.VideoCapture(str(film)), 0
    while True:
        ok, bgr = video.read()
        if not ok:
            return count
        rgb = cv2.cvtColor(cv2.resize(bgr, (side, side)), cv2.COLOR_BGR2RGB)
        net.setInput(np.ascontiguousarray(rgb[None]), "frames")
        net.forward("probabilities")
        count += 1


def _model(side: int, name: str, classes: int) -> tuple[Any, int, tuple[str, ...]]:
    labels = tuple(map(str, range(classes)))
    return create_classifier(name, labels, (side, side)).eval(), side, labels


def _bundle(folder: Path, side: int, name: str, classes: int, behind: str | None) -> Path:
    model, _, labels = _model(side, name, classes)
    none: dict[str, Any] = {"metrics": {}, "recipe": {}, "training": None}
    loaded = LoadedClassifier(model, labels, (side, side), name, provenance={}, digest="0" * 64, **none)
    rain = None
    if behind is not None:
        tuned = {"classifier": f"sha256 {'0' * 12}"}
        rain = LoadedNetwork(create_super_resolution(behind).eval(), behind, provenance=tuned, digest="0" * 64, **none)
    export_classifier(loaded, folder / f"{name}-{behind}", rain=rain, least_images=0)  # speed asks for no pictures
    return folder / f"{name}-{behind}"
