"""The device that was asked for, or an error; never another in silence.

The fake stands for onnxruntime and behaves as its builds were seen to (1.31): the GPU build lists its providers
on any machine, CUDA gives way to the CPU without a word, TensorRT raises when its libraries are missing.
"""

from pathlib import Path
from typing import Any

import pytest

from edge import runtime, tensorrt
from edge.classifier import Classifier
from edge.runtime import PROVIDERS, Device, open_session
from natadv.errors import DeviceError
from tests.tiny_bundle import write_tiny_bundle

CPU, CUDA, TENSORRT = PROVIDERS["cpu"], PROVIDERS["cuda"], PROVIDERS["tensorrt"]


class FakeRuntime:
    """A build of ONNX Runtime on a machine where only `working` providers work."""

    __name__ = "onnxruntime"
    __version__ = "1.31.1"

    def __init__(self, listed: list[str], working: list[str]) -> None:
        self.listed, self.working = listed, working
        self.opened: list[list[Any]] = []
        self.severities: list[int] = []

    class SessionOptions:
        def __init__(self) -> None:
            self.entries: dict[str, str] = {}

        def add_session_config_entry(self, key: str, value: str) -> None:
            self.entries[key] = value

    def get_available_providers(self) -> list[str]:
        return self.listed

    def set_default_logger_severity(self, severity: int) -> None:
        self.severities.append(severity)

    def InferenceSession(
        self, model: bytes, options: "FakeRuntime.SessionOptions", providers: list[Any], enable_fallback: int
    ) -> "FakeSession":
        assert options.entries["session.intra_op.allow_spinning"] == "0"
        assert enable_fallback == 0
        self.opened.append(providers)
        names = [entry if isinstance(entry, str) else entry[0] for entry in providers]
        if TENSORRT in names and TENSORRT not in self.working:
            raise RuntimeError("/onnxruntime_src/x.cc:729 void f(int) Please install TensorRT libraries\nmore")
        return FakeSession([name for name in names if name in self.working] or [CPU], options)


class FakeSession:
    def __init__(self, providers: list[str], options: FakeRuntime.SessionOptions) -> None:
        self.providers, self.options = providers, options

    def get_providers(self) -> list[str]:
        return self.providers


ALL = [TENSORRT, CUDA, CPU]


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def opened(fake: FakeRuntime, device: Device, *, allow_cpu: bool = False) -> str:
    return open_session(
        fake, b"", digest="a" * 64, shapes={"frames": (48, 32, 3)}, device=device, allow_cpu=allow_cpu, threads=3
    )[1]


@pytest.mark.parametrize(
    ("listed", "working", "device", "got"),
    [
        (ALL, ALL, "auto", TENSORRT),
        (ALL, [CUDA, CPU], "auto", CUDA),
        ([CPU], [CPU], "auto", CPU),
        (ALL, ALL, "cuda", CUDA),
        (ALL, ALL, "tensorrt", TENSORRT),
        (ALL, ALL, "cpu", CPU),
    ],
)
def test_the_best_that_works_is_taken(listed: list[str], working: list[str], device: Device, got: str) -> None:
    assert opened(FakeRuntime(listed, working), device) == got


@pytest.mark.parametrize("device", ["auto", "cuda", "tensorrt"])
@pytest.mark.parametrize("seen", [True, False])
def test_a_gpu_build_without_a_gpu_is_refused_unless_the_cpu_is_allowed(
    device: Device, seen: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "_sees_gpu", lambda: seen)
    with pytest.raises(DeviceError, match="--allow-cpu") as caught:
        opened(FakeRuntime(ALL, [CPU]), device)
    assert "\n" not in str(caught.value)
    assert "onnxruntime_src" not in str(caught.value)
    assert ("no NVIDIA GPU is seen here" in str(caught.value)) is not seen
    assert opened(FakeRuntime(ALL, [CPU]), device, allow_cpu=True) == CPU


@pytest.mark.parametrize("device", ["cuda", "tensorrt"])
def test_a_cpu_build_has_no_gpu(device: Device) -> None:
    with pytest.raises(DeviceError, match=f"asked for {device}.*build without it"):
        opened(FakeRuntime([CPU], [CPU]), device)
    assert opened(FakeRuntime([CPU], [CPU]), device, allow_cpu=True) == CPU


def test_tensorrt_is_not_cuda() -> None:
    with pytest.raises(DeviceError, match="asked for tensorrt"):
        opened(FakeRuntime(ALL, [CUDA, CPU]), "tensorrt")


def test_the_log_is_silenced_only_where_no_gpu_can_explain_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    for seen, severities in ((True, []), (False, [4, 2])):
        monkeypatch.setattr(runtime, "_sees_gpu", lambda seen=seen: seen)
        fake = FakeRuntime([CUDA, CPU], [CPU])
        opened(fake, "cuda", allow_cpu=True)
        assert fake.severities == severities


def test_the_threads_are_those_that_were_asked_for() -> None:
    session, _ = open_session(FakeRuntime([CPU], [CPU]), b"", digest="a" * 64, shapes={"frames": (8, 8, 3)}, threads=3)
    assert session.options.intra_op_num_threads == 3


@pytest.mark.parametrize(("device", "threads"), [("gpu", None), ("cpu", 0)])
def test_wrong_arguments_are_refused(device: Any, threads: int | None) -> None:
    with pytest.raises(ValueError, match="expected"):
        open_session(
            FakeRuntime([CPU], [CPU]), b"", digest="a", shapes={"frames": (8, 8, 3)}, device=device, threads=threads
        )


def test_the_real_runtime_refuses_a_gpu_that_is_not_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    if runtime._sees_gpu():
        pytest.skip("there is a GPU here")
    folder = write_tiny_bundle(tmp_path / "bundle")
    with pytest.raises(DeviceError, match="asked for cuda") as caught:
        Classifier(folder, device="cuda")
    assert "\n" not in str(caught.value)
    with Classifier(folder, device="cuda", allow_cpu=True) as classifier:
        assert classifier.provider == CPU
    assert capfd.readouterr().out == ""


def test_a_tensorrt_engine_is_kept_per_model_gpu_and_version() -> None:
    keys = [
        ("a" * 64, "NVIDIA H200, 595.1", "1.31.1"),
        ("b" * 64, "NVIDIA H200, 595.1", "1.31.1"),
        ("a" * 64, "NVIDIA H200, 595.2", "1.31.1"),
        ("a" * 64, "NVIDIA H200. 595.1", "1.31.1"),
        ("a" * 64, "NVIDIA H200, 595.1", "1.32.0"),
    ]
    assert len({tensorrt.cache_folder(*key) for key in keys}) == len(keys)
    assert tensorrt.cache_folder(*keys[0]) == tensorrt.cache_folder(*keys[0])


def test_tensorrt_is_given_its_own_cache_and_the_range_of_batches(tmp_path: Path) -> None:
    fake = FakeRuntime(ALL, ALL)
    opened(fake, "tensorrt")
    (name, options), *others = fake.opened[0]
    assert (name, others) == (TENSORRT, [CUDA, CPU])
    assert Path(options["trt_engine_cache_path"]).is_dir()
    assert Path(options["trt_engine_cache_path"]).is_relative_to(tmp_path)
    assert options["trt_profile_max_shapes"] == f"frames:{tensorrt.MAX_BATCH}x48x32x3"
