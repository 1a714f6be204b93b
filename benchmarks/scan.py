"""How near a scan of recorded clips comes to the slower of its two stages, decoding and the model, each run bare.

Clips of a 1280 x 720 camera at 30 fps, 5 s each, with a sensor's noise: once whole frames, once as a session stores
them, the picture and a margin. Bare decoding reads every clip with no conversion, bare `run` takes the very inputs
of the scan from memory; both use all cores in the way that was found fastest, a clip (or a stream of batches) a
core. Wall time, in turn, medians.
"""

import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from capture.pipeline import cores
from capture.scan import scan_session
from edge.classifier import Classifier
from rigs.archive import Archive, create_archive
from rigs.clip import VIDEO, write_clip
from rigs.frame import DropState, Frame
from rigs.geometry import Point, ScreenGeometry
from rigs.session import Item, SessionSettings

FPS, SECONDS = 30.0, 5.0
NOISE_CODES = 2.0
INPUT_PX = 64
BATCH = 16
LABELS = tuple(f"{number:02d}" for number in range(43))

Corners = tuple[Point, Point, Point, Point]
# A square picture that fills 85 % of the frame's height, seen a little from the side.
WHOLE: Corners = ((334.0, 54.0), (946.0, 50.0), (943.0, 668.0), (338.0, 664.0))
MARGIN_PX = 24


def measure(bundle: Path | None = None, *, clips: int = 4, runs: int = 5) -> list[dict[str, Any]]:
    """Return the rows of this benchmark for benchmarks/results.json.

    Args:
        bundle: scan with this model; None makes one, the project's small classifier at 64 px with random weights.
        clips: recorded for it; a multiple of the cores keeps all of them busy.
        runs: of which the medians are taken.
    """
    with tempfile.TemporaryDirectory(prefix="natadv-scan-") as name:
        folder = Path(name)
        bundle = bundle or _bundle(folder / "bundle")
        left, top, right, bottom = 334 - MARGIN_PX, 50 - MARGIN_PX, 946 + MARGIN_PX, 668 + MARGIN_PX
        inner = tuple((x - left, y - top) for x, y in WHOLE)
        whole = _session(folder / "whole", (0, 0, 1280, 720), WHOLE, clips)
        stored = _session(folder / "stored", (left, top, right, bottom), inner, clips)  # type: ignore[arg-type]
        with Classifier(bundle, device="cpu", threads=1) as classifier:
            rows = [
                _row("scan_over_slower_stage", "whole 1280 x 720 frames", whole, classifier, runs),
                _row("scan_over_slower_stage_stored", "a 720p camera's frames as stored", stored, classifier, runs),
            ]
    real = rows[1]
    rows.append(
        {
            "name": "scan_over_4x_real_time",
            "ratio": real["ours"] / (4 * FPS),
            "ours": real["ours"],
            "reference": 4 * FPS,
            "reference_name": f"4 x the {FPS:.0f} fps of a 720p camera",
            "unit": "frames/s",
            "better": "higher",
            "note": real["note"],
        }
    )
    return rows


def _row(name: str, what: str, archive: Archive, classifier: Classifier, runs: int) -> dict[str, Any]:
    inputs = _inputs(archive, classifier.input_size)
    frames = sum(record.frames for record in archive.records())
    stages: dict[str, Callable[[], object]] = {
        "scan": lambda: scan_session(archive, classifier, batch=BATCH, force=True),
        "decode": lambda: _decode(archive),
        "run": lambda: _run(classifier, inputs),
    }
    wall: dict[str, list[float]] = {stage: [] for stage in stages}
    cpu: dict[str, list[float]] = {stage: [] for stage in stages}
    for work in stages.values():  # the first round warms caches up and does not count
        work()
    for _ in range(runs):
        for stage, work in stages.items():
            wall_s, cpu_s = time.perf_counter(), time.process_time()
            work()
            wall[stage].append(time.perf_counter() - wall_s)
            cpu[stage].append(time.process_time() - cpu_s)
    rate = {stage: frames / statistics.median(seconds) for stage, seconds in wall.items()}
    cost = {stage: 1e3 * statistics.median(seconds) / frames for stage, seconds in cpu.items()}
    slower = min(("decode", "run"), key=rate.__getitem__)
    busy = cost["scan"] * rate["scan"] / 1e3 / cores()
    return {
        "name": name,
        "ratio": rate["scan"] / rate[slower],
        "ours": rate["scan"],
        "reference": rate[slower],
        "reference_name": {"decode": "decoding alone", "run": "session.run alone"}[slower],
        "unit": "frames/s",
        "better": "higher",
        "note": f"{what}; {rate['scan'] / FPS:.1f} x real time on {cores()} cores, {100 * busy:.0f} % busy; "
        f"decoding {rate['decode']:.0f} fps, {classifier.manifest.model_name} run {rate['run']:.0f} fps; "
        f"CPU ms a frame: scan {cost['scan']:.1f}, decoding {cost['decode']:.1f}, run {cost['run']:.1f}",
    }


def _decode(archive: Archive) -> None:
    """Decode every clip of a session, a clip a core, and leave the frames in the decoder's own format."""

    def one(path: Path) -> None:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            stream.codec_context.thread_type = "FRAME"
            stream.codec_context.thread_count = 1
            for _ in container.decode(stream):
                pass

    with ThreadPoolExecutor(cores()) as pool:
        list(pool.map(one, [archive.folder / record.clip / VIDEO for record in archive.records()]))


def _run(classifier: Classifier, inputs: Sequence[NDArray[np.uint8]]) -> None:
    with ThreadPoolExecutor(cores()) as pool:
        list(pool.map(classifier.probabilities, inputs))


def _inputs(archive: Archive, size: tuple[int, int]) -> list[NDArray[np.uint8]]:
    """Return all frames as the model gets them, in batches."""
    rectify = archive.settings.geometry.rectify
    frames = [
        rectify(image, size)
        for item in archive.settings.items
        for kind in ("dry", "wet")
        for image in archive.clip(item, kind).images(threads=cores())
    ]
    return [np.stack(frames[start : start + BATCH]) for start in range(0, len(frames), BATCH)]


def _session(folder: Path, crop: tuple[int, int, int, int], corners: Corners, clips: int) -> Archive:
    """Record `clips` images: a picture on a dark screen, behind blobs that drift, with noise."""
    items = tuple(
        Item(number=number, source=f"{number}.png", label=LABELS[number % len(LABELS)], sha256="0" * 64)
        for number in range(clips)
    )
    settings = SessionSettings(
        created="2026-01-01T00:00:00+00:00",
        natadv_version="0",
        purpose="test",
        seed=0,
        clip_s=SECONDS,
        control_frames=5,
        spray_s=1.0,
        fps=FPS,
        images="synthetic",
        items=items,
        crop_px=crop,
        corners_px=ScreenGeometry(corners).corners_px,
        rig_file="synthetic",
        rig={},
    )
    archive = create_archive(folder, settings, [np.zeros((64, 64, 3), np.uint8)] * clips)
    for item in items:
        rng = np.random.default_rng(item.number)
        for kind, count in (("dry", settings.control_frames), ("wet", round(SECONDS * FPS))):
            clip = write_clip(archive.clip_folder(item, kind), _frames(rng, crop, count, kind == "wet"), FPS)
            archive.add(item, kind, clip, 0)
    return archive


def _frames(rng: np.random.Generator, crop: tuple[int, int, int, int], count: int, wet: bool) -> list[Frame]:
    left, top, right, bottom = crop
    coarse = rng.integers(30, 226, (9, 9, 3), np.uint8)
    picture = cv2.resize(coarse, (612, 616), interpolation=cv2.INTER_CUBIC)
    noise = [rng.normal(0, NOISE_CODES, (784, 1344, 3)).round().astype(np.int16) for _ in range(4)]
    frames = []
    for number in range(count):
        frame = np.full((720, 1280, 3), 12, np.int16)
        frame[52:668, 334:946] = picture
        if wet:
            for x, y, radius in _DROPS:
                place = (int(x + 40 * np.sin(number / 30)), int(y + number))
                cv2.circle(frame, place, radius, (int(x) % 200, int(y) % 200, 120), -1)
        dy, dx = rng.integers(0, 64, 2)
        noisy = frame + noise[number % 4][dy : dy + 720, dx : dx + 1280]
        image = np.clip(noisy, 0, 255).astype(np.uint8)[top:bottom, left:right]
        frames.append(Frame(image, number, number / FPS, None, DropState(len(_DROPS) if wet else 0, 0.1 if wet else 0)))
    return frames


_DROPS = [
    (float(x), float(y), int(radius))
    for x, y, radius in zip(
        *(np.random.default_rng(0).integers(low, high, 60) for low, high in ((300, 980), (20, 560), (3, 30))),
        strict=True,
    )
]


def _bundle(folder: Path) -> Path:
    """Export the project's small classifier, untrained: the numbers in it do not change its speed."""
    import torch  # noqa: PLC0415  # only where no bundle is given

    from export.checkpoint import export_classifier  # noqa: PLC0415
    from natadv.models.classifier import DEFAULT_MODEL, create_classifier  # noqa: PLC0415
    from natadv.training.checkpoint import LoadedClassifier  # noqa: PLC0415

    size = (INPUT_PX, INPUT_PX)
    torch.manual_seed(0)
    loaded = LoadedClassifier(
        model=create_classifier(DEFAULT_MODEL, LABELS, size).eval(),
        labels=LABELS,
        input_size=size,
        model_name=DEFAULT_MODEL,
        metrics={},
        recipe={},
        provenance={},
        digest="0" * 64,
        training=None,
    )
    export_classifier(loaded, folder, least_images=0)  # speed asks for no pictures
    return folder


if __name__ == "__main__":
    for row in measure():
        print(f"{row['name']:32s} {row['ratio']:6.2f} x {row['reference_name']:34s} {row['note']}")
