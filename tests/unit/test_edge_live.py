"""The live loop publishes the newest frame, each at most once, however slow the model."""

import io
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edge
from edge.live import Live
from edge.live import run as run_live
from edge.mailbox import Mailbox
from edge.patience import Patience
from edge.prediction import Prediction
from edge.sinks import JsonLines
from edge.slot import Slot
from edge.source import Shot
from edge.summary import Summary
from natadv.errors import ClipError, ConfigError, DeviceError, FrameTimeoutError
from tests.live_fakes import Camera, Kept, Model


def run(camera: Camera, model: Model, sinks: list[Any], *, stop: threading.Event, **options: Any) -> Summary:
    return run_live(Live(Slot(model), stop), lambda: nullcontext(camera), sinks, **options)


def test_a_slow_model_sees_the_newest_frame_and_none_twice() -> None:
    camera, kept = Camera(101), Kept()
    model = Model(camera, slowness=5)
    summary = run(camera, model, [kept], stop=threading.Event())
    assert model.looked_at == list(range(0, 101, 5))
    assert [o.shot.frame.index for o in kept.observations] == model.looked_at
    # As old as one prediction takes, from the first to the last: nothing queued.
    assert [o.age_s for o in kept.observations] == [5.0] * 20 + [0.0]
    assert (summary.seen, summary.predicted, summary.skipped, summary.lost) == (101, 21, 80, 0)
    assert summary.seen == summary.predicted + summary.skipped


def test_a_fast_model_misses_nothing() -> None:
    camera, kept = Camera(20), Kept()
    summary = run(camera, Model(camera, slowness=1), [kept], stop=threading.Event())
    assert [o.shot.frame.index for o in kept.observations] == list(range(20))
    assert summary.skipped == 0


def test_a_recording_may_be_looked_at_frame_by_frame() -> None:
    camera, kept = Camera(12), Kept()
    camera._allowed = 12  # all at once, as a file gives them

    class Unhurried(Model):
        def answer(self, frames: np.ndarray) -> list[Prediction]:
            return [Prediction("a", 0, 1.0, np.ones(2, np.float32))]

    summary = run(camera, Unhurried(camera, 0), [kept], stop=threading.Event(), every=True)
    assert [o.shot.frame.index for o in kept.observations] == list(range(12))
    assert (summary.seen, summary.skipped) == (12, 0)


def test_frames_that_the_camera_lost_are_counted_by_its_own_index() -> None:
    camera = Camera(11, step=3)
    summary = run(camera, Model(camera, slowness=5), [], stop=threading.Event())
    assert (summary.seen, summary.lost) == (11, 20)


def test_truth_is_compared_where_it_is_known() -> None:
    camera = Camera(10, labels=("a", "b"))
    summary = run(camera, Model(camera, slowness=1), [], stop=threading.Event())
    assert (summary.known, summary.right) == (10, 5)
    assert "5 of 10 right" in str(summary)


def test_a_label_that_the_model_lacks_is_refused() -> None:
    camera = Camera(10, labels=("a", "c"))
    with pytest.raises(ConfigError, match="label 'c' of the source is not among the model's 2"):
        run(camera, Model(camera, slowness=1), [], stop=threading.Event())
    assert camera.given == 0


def test_what_breaks_the_source_is_raised_after_its_last_frame() -> None:
    camera, kept = Camera(3, error=ClipError("torn")), Kept()
    with pytest.raises(ClipError, match="torn"):
        run(camera, Model(camera, slowness=1), [kept], stop=threading.Event())
    assert len(kept.observations) == 3


def test_a_source_that_fails_while_it_is_stopped_is_heard() -> None:
    class Failing(Camera):
        def shots(self, stop: threading.Event) -> Iterator[Shot]:
            yield from super().shots(stop)
            stop.wait(10)
            raise DeviceError("sprayer: does not shut")

    camera = Failing(3)
    with pytest.raises(DeviceError, match="does not shut"):
        run(camera, Model(camera, slowness=1), [], stop=threading.Event(), seconds=0.3)


def test_it_ends_when_asked() -> None:
    camera, kept, stop = Camera(1000), Kept(), threading.Event()

    class StopAtFour(Model):
        def answer(self, frames: np.ndarray) -> list[Prediction]:
            if len(self.looked_at) == 3:
                stop.set()
                return [Prediction("a", 0, 1.0, np.ones(2, np.float32))]
            return super().answer(frames)

    run(camera, StopAtFour(camera, slowness=2), [kept], stop=stop)
    assert len(kept.observations) == 4
    assert not [thread for thread in threading.enumerate() if thread.name in ("reader", "model")]


def test_it_ends_when_its_time_is_over() -> None:
    camera = Camera(1000)
    summary = run(camera, Model(camera, slowness=1), [], stop=threading.Event(), seconds=0)
    assert summary.predicted == 0


def test_it_ends_when_nobody_listens() -> None:
    camera, kept = Camera(1000), Kept(limit=6)
    summary = run(camera, Model(camera, slowness=1), [kept], stop=threading.Event())
    assert len(kept.observations) == summary.predicted == 6


def test_a_camera_that_gives_nothing_is_an_error() -> None:
    camera = Camera(5, live=True)
    camera._allowed = 0
    with pytest.raises(FrameTimeoutError, match="no frame came"):
        run(camera, Model(camera, slowness=1), [], stop=threading.Event(), patience=Patience(frame_s=0.2))


def test_a_line_is_a_json_object() -> None:
    stream = io.StringIO()
    camera = Camera(3, labels=("b",))
    run(camera, Model(camera, slowness=1), [JsonLines(stream)], stop=threading.Event())
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["index"] for line in lines] == [0, 1, 2]
    assert list(lines[0]) == [
        "index", "timestamp_s", "label", "confidence", "steady", "latency_ms", "age_ms", "fps", "truth",
    ]  # fmt: skip
    assert lines[1]["timestamp_s"] == 1.0
    assert (lines[1]["label"], lines[1]["confidence"], lines[1]["truth"]) == ("a", 0.75, "b")
    assert lines[1]["age_ms"] == 1000.0


def test_a_closed_mailbox_lets_everyone_go() -> None:
    mailbox: Mailbox[int] = Mailbox()
    assert mailbox.put(1)
    waiting = threading.Thread(target=lambda: mailbox.put(2, wait=True))
    waiting.start()
    mailbox.close()
    waiting.join(20)
    assert not waiting.is_alive()
    assert not mailbox.put(3)
    assert (mailbox.take(1), mailbox.take(1)) == (1, None)


def test_edge_needs_no_torch() -> None:
    folder = Path(edge.__file__).parent
    modules = sorted(
        ".".join(path.relative_to(folder).with_suffix("").parts)
        for path in folder.rglob("*.py")
        if path.stem != "__init__"
    )
    assert {"classifier", "page.app"} <= set(modules)
    code = (
        f"import sys\nfor name in {modules}: __import__('edge.' + name)\n"
        "import onnxruntime\n"
        "loaded = {'torch', 'torchvision', 'timm', 'lightning', 'onnx', 'onnxscript'} & set(sys.modules)\n"
        "sys.exit(str(loaded) if loaded else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_help_waits_for_no_library() -> None:
    code = (
        "import sys, edge.cli, export.cli\n"
        "loaded = {'torch', 'cv2', 'onnxruntime', 'onnx', 'av', 'numpy', 'fastapi', 'uvicorn'} & set(sys.modules)\n"
        "sys.exit(str(loaded) if loaded else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
