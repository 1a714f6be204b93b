"""Choose where to compute, and say which it was."""

import torch

from natadv.errors import ConfigError, DeviceError


def choose_device(device: str, *, count: int = 1, precision: str = "32-true") -> str:
    """Return "cuda" or "cpu" for "auto", "cpu" or "cuda"; `auto` takes CUDA where there is a GPU.

    Raises:
        DeviceError: if CUDA is asked for and is not there, or there are fewer GPUs than asked for.
        ConfigError: if the precision does not go with the device, or there is no such device.
    """
    if device not in ("auto", "cpu", "cuda"):
        raise ConfigError(f"--device {device}: expected auto, cpu or cuda")
    there = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device == "cuda" and not there:
        raise DeviceError("--device cuda: torch finds no CUDA GPU here; take cpu or auto")
    chosen = "cuda" if there and device != "cpu" else "cpu"
    if chosen == "cuda" and count > there:
        raise DeviceError(f"--devices {count}: torch finds {there} CUDA GPUs")
    if chosen == "cpu" and precision == "16-mixed":
        raise ConfigError("--precision 16-mixed needs a GPU; take 32-true or bf16-mixed on a CPU")
    return chosen


def device_name(device: str, threads: int | None = None) -> str:
    """Return what a person calls it, as "NVIDIA H200" or "CPU, 2 threads"."""
    if device == "cuda":
        return torch.cuda.get_device_name()
    return f"CPU, {threads or torch.get_num_threads()} threads"
