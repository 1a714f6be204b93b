"""Options for ONNX Runtime's TensorRT provider: one engine cache per model, GPU and version.

TensorRT builds an engine in minutes and keeps it. ONNX Runtime names the file after the graph, which torch
always calls `main_graph`, so a shared folder has given people the engine of another model. Ours is named by
the model's digest, the GPU and the runtime's version: a different one of any is a different folder.
"""

import hashlib
import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

MAX_BATCH: Final = 64  # the engine is built for 1 to this many frames; `Classifier` cuts larger batches


def options(
    digest: str,
    shapes: Mapping[str, tuple[int, ...]],
    runtime_version: str,
    *,
    precision: str = "fp32",
    graph: bool = False,
) -> dict[str, str]:
    """Return the provider options for a model with these inputs, each with its shape for one frame.

    Args:
        digest: SHA-256 of the model, in hex.
        shapes: by input.
        runtime_version: of ONNX Runtime.
        precision: of the model's weights; TensorRT computes in full precision unless it may do otherwise.
        graph: capture runs as CUDA graphs.
    """
    folder = cache_folder(digest, gpu_name(), runtime_version)
    folder.mkdir(parents=True, exist_ok=True)

    def profile(frames: int) -> str:
        return ",".join(f"{name}:{'x'.join(map(str, (frames, *shape)))}" for name, shape in shapes.items())

    return {
        "trt_engine_cache_enable": "True",
        "trt_engine_cache_path": str(folder),
        "trt_profile_min_shapes": profile(1),
        "trt_profile_opt_shapes": profile(1),
        "trt_profile_max_shapes": profile(MAX_BATCH),
        "trt_fp16_enable": str(precision == "fp16"),  # not with 8 bits: what was left in full was measured in full
        "trt_int8_enable": str(precision == "int8"),  # its ranges are the model's own, as QDQ
        "trt_cuda_graph_enable": str(graph),
    }


def cache_folder(digest: str, gpu: str, runtime_version: str) -> Path:
    """Return where the engine of this model, on this GPU, by this runtime is kept."""
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "natadv" / "tensorrt"
    readable = re.sub(r"[^A-Za-z0-9.]+", "-", f"{gpu}-{runtime_version}").strip("-")
    # Two names may read alike once their punctuation is gone; the hash keeps them apart.
    key = hashlib.sha256(f"{digest}\n{gpu}\n{runtime_version}".encode()).hexdigest()
    return root / f"{readable[:60]}-{key[:32]}"


def gpu_name() -> str:
    """Return the first GPU with its driver's version, or the board's name (Jetson), or "unknown"."""
    query = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=20, check=True).stdout
        return answer.splitlines()[0].strip()
    except (OSError, subprocess.SubprocessError, IndexError):
        pass
    try:
        return Path("/proc/device-tree/model").read_text(encoding="utf-8").strip("\0\n ")
    except OSError:
        return "unknown"
