"""Open an ONNX Runtime session on the device that was asked for, and on no other.

ONNX Runtime falls back in silence: its GPU build lists CUDA on a machine without a GPU and returns a session
that runs on the CPU (1.31), far too slow for a camera. So what a session says it runs on is read back, and
the CPU is taken only where it was asked for, where nothing else is installed, or where the caller allows it.
"""

import contextlib
import io
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, Final, Literal

from edge import tensorrt
from edge.wording import one_line
from natadv.errors import BundleError, ConfigError, DeviceError

Device = Literal["auto", "tensorrt", "cuda", "cpu"]

PROVIDERS: Final = {
    "tensorrt": "TensorrtExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "cpu": "CPUExecutionProvider",
}
_CPU = PROVIDERS["cpu"]
_WARNING, _FATAL = 2, 4  # severities of the runtime's log
_SOURCE: Final = re.compile(r"/onnxruntime_src/\S+:\d+ (?:[^\n]*\) )?")  # where in its sources, and in which function


def load_runtime() -> ModuleType:
    """Import ONNX Runtime; which build of it is the installer's choice, so it is no hard dependency.

    Raises:
        ConfigError: if it is not installed.
    """
    try:
        import onnxruntime  # noqa: PLC0415  # slow, and only some commands need it
    except ImportError as error:
        raise ConfigError(
            f"ONNX Runtime cannot be imported ({error}); install natadv[gpu] or natadv[cpu], or the board's own wheel"
        ) from error
    if hasattr(onnxruntime, "preload_dlls"):
        # Finds CUDA and cuDNN in their wheels. It prints what it misses to standard output, which is for
        # results; what is missing shows when the session is opened.
        with contextlib.redirect_stdout(io.StringIO()):
            onnxruntime.preload_dlls()
    return onnxruntime  # type: ignore[no-any-return]


def open_session(
    runtime: Any,
    model: bytes,
    *,
    digest: str,
    shapes: Mapping[str, tuple[int, ...]],
    device: Device = "auto",
    allow_cpu: bool = False,
    threads: int | None = None,
    precision: str = "fp32",
    graph: bool = False,
) -> tuple[Any, str]:
    """Open a session and return it with the provider it says it runs on.

    "auto" is TensorRT, else CUDA, else, where the installed runtime knows neither, the CPU.

    Args:
        runtime: the module onnxruntime, or a test's.
        model: bytes of a verified model.
        digest: their SHA-256 in hex.
        shapes: of its inputs by name, each for one frame.
        device: what to run on.
        allow_cpu: run on the CPU where the GPU cannot be had, instead of raising.
        threads: CPU threads of one run; None leaves it to the runtime.
        precision: of the model's weights, which TensorRT has to be told.
        graph: let the GPU capture runs as CUDA graphs; see `edge.binding`.

    Raises:
        ValueError: if device is none of the four or threads is not positive.
        DeviceError: if the GPU cannot be had and the CPU is not allowed, or if a graph is asked for and it cannot be
            had.
        BundleError: if the runtime cannot load the model.
    """
    if device != "auto" and device not in PROVIDERS:
        raise ValueError(f"expected a device of auto, {', '.join(PROVIDERS)}, got {device!r}")
    if threads is not None and threads < 1:
        raise ValueError(f"expected at least one thread, got {threads}")
    offered = runtime.get_available_providers()
    wanted = [name for name in ("tensorrt", "cuda") if device in ("auto", name)]
    tried = [name for name in wanted if PROVIDERS[name] in offered]
    reason = f"{runtime.__name__} {runtime.__version__} is a build without it"
    for name in tried:

        def open_on(name: str = name) -> Any:
            captured = graph and name == "cuda"
            chain: list[Any] = [
                (PROVIDERS["cuda"], {"enable_cuda_graph": "1"}) if captured else PROVIDERS["cuda"],
                _CPU,
            ]
            if name == "tensorrt":
                options = tensorrt.options(digest, shapes, runtime.__version__, precision=precision, graph=graph)
                chain.insert(0, (PROVIDERS[name], options))
            return _session(runtime, model, chain, threads)

        session, reason = _try(runtime, PROVIDERS[name], open_on)
        if session is not None:
            return session, PROVIDERS[name]
    nothing_to_lose = device == "auto" and not tried
    if device != "cpu" and not nothing_to_lose and not allow_cpu:
        asked = "a GPU" if device == "auto" else device
        raise DeviceError(f"asked for {asked}, not to be had ({reason}); mend it, or allow the CPU (--allow-cpu)")
    if graph:
        raise DeviceError(f"--cuda-graph: nothing here is CUDA ({reason}); leave it out, or mend the GPU")
    session = open_cpu(runtime, model, threads)
    return session, session.get_providers()[0]


def open_cpu(runtime: Any, model: bytes, threads: int | None) -> Any:
    """Open a session on the CPU; the arguments are those of `open_session`.

    Raises:
        BundleError: if the runtime cannot load the model.
    """
    try:
        return _session(runtime, model, [_CPU], threads)
    except Exception as error:  # the runtime's errors share no base of their own
        raise BundleError(f"ONNX Runtime {runtime.__version__} cannot load the model: {why(error)}") from error


def why(error: Exception) -> str:
    """Return an error of the runtime in one line, without its own source paths."""
    return one_line(_SOURCE.sub("", str(error)) or type(error).__name__)


def _try(runtime: Any, provider: str, open_on: Callable[[], Any]) -> tuple[Any | None, str]:
    """Open a session on one GPU provider; (None, why not) if it is not what comes back."""
    seen = _sees_gpu()
    if not seen:
        # Its log would say it several times over, in red; our one line says it better.
        runtime.set_default_logger_severity(_FATAL)
    try:
        session = open_on()
    except Exception as error:  # noqa: BLE001  # the runtime's errors share no base of their own
        return None, why(error) if seen else "no NVIDIA GPU is seen here"
    finally:
        if not seen:
            runtime.set_default_logger_severity(_WARNING)
    got = session.get_providers()[0]
    if got == provider:
        return session, ""
    return None, f"got {got}" if seen else f"no NVIDIA GPU is seen here, got {got}"


def _session(runtime: Any, model: bytes, providers: list[Any], threads: int | None) -> Any:
    settings = runtime.SessionOptions()
    settings.inter_op_num_threads = 1
    settings.intra_op_num_threads = threads or 0
    # Threads that spin between frames cost more than the model itself and starve the decoder.
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # It would take the same bytes for its own format by four letters in them, and nothing of that was looked at.
    settings.add_session_config_entry("session.load_model_format", "ONNX")
    if providers == [_CPU]:
        # Its log repeats what its exceptions say, in the model's own words, which a terminal might obey.
        settings.log_severity_level = _FATAL
    # Its own fallback prints to standard output and moves a running session to the CPU.
    return runtime.InferenceSession(model, settings, providers=providers, enable_fallback=0)


def _sees_gpu() -> bool:
    """Whether the system shows a GPU's device file: desktop, Jetson or Windows' Linux."""
    patterns = ("nvidia[0-9]*", "nvhost-gpu", "nvgpu", "dxg")
    return any(True for pattern in patterns for _ in Path("/dev").glob(pattern))
