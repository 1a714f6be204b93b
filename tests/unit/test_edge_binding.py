"""Fixed places for one frame's inputs and outputs: the same answers, and none that a later run changes.

They are for GPUs. What of them needs none is tried here, on the CPU's memory and with ONNX Runtime itself.
"""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from edge.bundle import read_bundle
from edge.classifier import Classifier
from edge.runtime import PROVIDERS, Device, open_session
from natadv.errors import DeviceError
from tests.tiny_bundle import write_tiny_bundle
from tests.unit.test_edge_runtime import ALL, CPU, CUDA, TENSORRT, FakeRuntime


class Bound(Classifier):
    """A classifier on the CPU that asks through fixed places, as one on a GPU does."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, device="cpu")
        self._binding = self._bind(onnxruntime, "cpu")


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    write_tiny_bundle(tmp_path / "bundle")
    return tmp_path / "bundle"


def test_answers_are_the_same_and_stay(bundle: Path) -> None:
    rng = np.random.default_rng(0)
    with Classifier(bundle, device="cpu") as plain, Bound(bundle) as bound:
        height, width = plain.input_size
        frames = rng.integers(0, 256, (6, height, width, 3), np.uint8)
        first = bound.probabilities(frames[:1])
        kept = first.copy()
        for number in range(6):
            np.testing.assert_array_equal(
                bound.probabilities(frames[number : number + 1]), plain.probabilities(frames[number : number + 1])
            )
        np.testing.assert_array_equal(first, kept)
        # A batch has no places of its own.
        np.testing.assert_allclose(bound.probabilities(frames), plain.probabilities(frames), atol=1e-6)


def test_the_places_are_really_used(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Bound(bundle) as bound:
        height, width = bound.input_size
        frames = np.zeros((2, height, width, 3), np.uint8)
        asked: list[int] = []
        binding = bound._binding
        assert binding is not None
        run = binding.run

        def counted(feed: Any, options: Any) -> Any:
            asked.append(len(feed["frames"]))
            return run(feed, options)

        monkeypatch.setattr(binding, "run", counted)
        bound.answer(frames[:1])
        bound.answer(frames)
        assert asked == [1]


def test_an_answer_from_fixed_places_can_be_abandoned(bundle: Path) -> None:
    with Bound(bundle) as bound:
        height, width = bound.input_size
        bound.abandon()
        with pytest.raises(DeviceError, match="failed on a batch of 1"):
            bound.answer(np.zeros((1, height, width, 3), np.uint8))


@pytest.mark.parametrize(
    ("device", "place", "expected"),
    [
        ("cuda", 0, (CUDA, {"enable_cuda_graph": "1"})),
        ("tensorrt", 1, CUDA),  # the graph is TensorRT's then
    ],
)
def test_a_graph_is_asked_of_the_device_that_runs_the_model(device: Device, place: int, expected: object) -> None:
    fake = FakeRuntime(ALL, ALL)
    open_session(fake, b"", digest="a" * 64, shapes={"frames": (8, 8, 3)}, device=device, graph=True)
    assert fake.opened[0][place] == expected
    if device == "tensorrt":
        assert fake.opened[0][0][1]["trt_cuda_graph_enable"] == "True"


@pytest.mark.parametrize(
    ("precision", "half", "eight"), [("fp32", "False", "False"), ("fp16", "True", "False"), ("int8", "False", "True")]
)
def test_tensorrt_is_told_the_precision(precision: str, half: str, eight: str) -> None:
    fake = FakeRuntime(ALL, ALL)
    open_session(
        fake, b"", digest="a" * 64, shapes={"frames": (8, 8, 3)}, device="tensorrt", precision=precision
    )  # fmt: skip
    name, options = fake.opened[0][0]
    assert name == TENSORRT
    assert (options["trt_fp16_enable"], options["trt_int8_enable"]) == (half, eight)


@pytest.mark.parametrize("device", ["auto", "cpu"])
def test_a_graph_without_a_gpu_is_an_error(bundle: Path, device: Device) -> None:
    with pytest.raises(DeviceError, match="--cuda-graph: nothing here is CUDA"):
        open_session(FakeRuntime([CPU], [CPU]), b"", digest="a", shapes={}, device=device, graph=True)
    if PROVIDERS["cuda"] not in onnxruntime.get_available_providers():
        with pytest.raises(DeviceError, match="--cuda-graph"):
            Classifier(bundle, device=device, graph=True)


class Gpu:
    """ONNX Runtime with the CPU called CUDA: real answers, and what goes wrong on a GPU is put in their way."""

    __name__ = "onnxruntime"
    __version__ = onnxruntime.__version__
    SessionOptions, RunOptions = onnxruntime.SessionOptions, onnxruntime.RunOptions

    def __init__(self, *, stale: bool = False, memory: int = 1_000_000) -> None:
        self.stale, self.memory, self.bound = stale, memory, 0
        self.OrtValue = self

    def get_available_providers(self) -> list[str]:
        return [CUDA, CPU]

    def set_default_logger_severity(self, severity: int) -> None:
        pass

    def ortvalue_from_shape_and_type(self, shape: list[int], kind: Any, memory: str, device: int) -> Any:
        assert memory == "cuda"
        self.memory -= int(np.prod(shape))
        if self.memory < 0:
            raise RuntimeError("/onnxruntime_src/bfc_arena.cc:376 void f() Failed to allocate memory\nmore")
        return onnxruntime.OrtValue.ortvalue_from_shape_and_type(shape, kind, "cpu", device)

    def InferenceSession(self, model: bytes, options: Any, providers: list[Any], enable_fallback: int) -> Any:
        return GpuSession(self, onnxruntime.InferenceSession(model, options, providers=[CPU]))


class GpuSession:
    def __init__(self, gpu: Gpu, session: Any) -> None:
        self._gpu, self._session = gpu, session

    def get_providers(self) -> list[str]:
        return [CUDA, CPU]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def run_with_iobinding(self, bound: Any, options: Any) -> None:
        self._gpu.bound += 1
        if self._gpu.stale and self._gpu.bound > 1:  # a graph that was captured wrongly: its first answer for ever
            return
        self._session.run_with_iobinding(bound, options)


def test_golden_frames_are_asked_as_a_live_run_asks_before_a_model_is_trusted(bundle: Path) -> None:
    good = Gpu()
    with Classifier(bundle, device="cuda", runtime=good) as opened:
        assert opened.provider == CUDA
        assert good.bound == 2 * len(read_bundle(bundle).golden.frames)  # captured, then replayed
    with pytest.raises(DeviceError, match=r"frames' logits differ by .* asked one by one.* computes wrongly"):
        Classifier(bundle, device="cuda", runtime=Gpu(stale=True))


def test_no_room_for_a_frame_beside_another_model_is_one_line(bundle: Path) -> None:
    with pytest.raises(DeviceError, match=r"no room on CUDAExecutionProvider .*Failed to allocate memory") as caught:
        Classifier(bundle, device="cuda", runtime=Gpu(memory=100))
    assert "\n" not in str(caught.value)
    assert "onnxruntime_src" not in str(caught.value)
