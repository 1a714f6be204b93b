"""The live loop's peers: what people would take instead, on the same film, model, runtime and threads.

Ultralytics and Roboflow's inference are no dependencies. Where one is installed beside natadv it is measured, else a
row's note says that it is not.
"""

import contextlib
import os
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import onnxruntime as ort
import torch
from torch import Tensor, nn

_NAMES = {"ultralytics": "ultralytics", "roboflow inference": "inference"}


def peers(
    model: nn.Module, side: int, labels: tuple[str, ...], film: Path, scratch: Path
) -> dict[str, Callable[[], int]]:
    """Return the peers that are installed, each as a function that looks at the whole film and counts its frames.

    Args:
        model: takes (n, 3, side, side) in 0..1, gives logits.
        side: px.
        labels: one a class.
        film: what they look at.
        scratch: folder for the model as they want it: float32, channels first, with their metadata.
    """
    found = [name for name, module in _NAMES.items() if find_spec(module)]
    if not found:
        return {}
    path = scratch / f"peers-{side}.onnx"
    _export(model, side, labels, path)
    loops = {"ultralytics": partial(_ultralytics, path, side), "roboflow inference": partial(_roboflow, path, side)}
    return {name: partial(_alike, loops[name], film) for name in found}


def missing() -> list[str]:
    """Return the peers that are not installed here."""
    return [name for name, module in _NAMES.items() if not find_spec(module)]


class _Probabilities(nn.Module):
    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        return torch.softmax(self.model(images), 1)


def _export(model: nn.Module, side: int, labels: tuple[str, ...], path: Path) -> None:
    """Write the model as Ultralytics exports its own, which is what both can run."""
    program = torch.onnx.export(
        _Probabilities(model).eval(),
        (torch.zeros(1, 3, side, side),),
        input_names=["images"],
        output_names=["output0"],
        opset_version=18,
        dynamo=True,
        verbose=False,
    )
    proto = program.model_proto
    said = {"task": "classify", "stride": "1", "batch": "1", "imgsz": str([side, side]), "channels": "3"}
    for key, value in {**said, "names": str(dict(enumerate(labels)))}.items():
        proto.metadata_props.add(key=key, value=value)
    onnx.save(proto, path)


def _alike(loop: Callable[[Path], int], film: Path) -> int:
    """Run a peer with sessions of one thread that does not spin, as ours has."""
    made = ort.InferenceSession

    def session(model: Any, options: Any = None, *more: Any, **named: Any) -> Any:
        settings = options or named.pop("sess_options", None) or ort.SessionOptions()
        settings.intra_op_num_threads = settings.inter_op_num_threads = 1
        settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
        return made(model, settings, *more, **named)

    ort.InferenceSession = session
    try:
        with _silence():
            return loop(film)
    finally:
        ort.InferenceSession = made


def _ultralytics(model: Path, side: int, film: Path) -> int:
    os.environ.setdefault("YOLO_OFFLINE", "true")
    from ultralytics import YOLO  # noqa: PLC0415  # where it is installed

    network = YOLO(str(model), task="classify")
    answers = network.predict(source=str(film), stream=True, imgsz=side, verbose=False, device="cpu")
    return sum(1 for answer in answers if answer.probs.top1 >= 0)


def _roboflow(model: Path, side: int, film: Path) -> int:
    from inference import InferencePipeline  # noqa: PLC0415  # where it is installed
    from inference.core.interfaces.camera.entities import VideoFrame  # noqa: PLC0415

    session = ort.InferenceSession(str(model))
    counted = 0

    def ask(frames: list[VideoFrame]) -> list[Any]:
        answers = []
        for frame in frames:
            rgb = cv2.cvtColor(cv2.resize(frame.image, (side, side)), cv2.COLOR_BGR2RGB)
            batch = np.ascontiguousarray(rgb.transpose(2, 0, 1)[None], np.float32) / 255
            answers.append(session.run(None, {"images": batch})[0])
        return answers

    def keep(_: Any, frame: VideoFrame | None) -> None:
        nonlocal counted
        counted += frame is not None

    pipeline = InferencePipeline.init_with_custom_logic(
        video_reference=str(film), on_video_frame=ask, on_prediction=keep
    )
    pipeline.start()
    pipeline.join()
    return counted


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    with (
        Path(os.devnull).open("w") as nothing,
        contextlib.redirect_stdout(nothing),
        contextlib.redirect_stderr(nothing),
    ):
        yield
