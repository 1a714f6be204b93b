"""Trial: a model that nobody signed runs in a process of its own before it runs in this one.

A valid graph can crash a runtime, take all memory or run for hours, and no look at its bytes can tell. The trial has
limits, is the first that a system short of memory ends, and takes with it what the model does to it. It runs on the
CPU whatever the model is for later. It costs a start of Python and of the runtime, about 0.3 s, and the model's own.
"""

import contextlib
import io
import os
import resource
import signal
import struct
import subprocess
import sys
from pathlib import Path
from typing import Final

from edge.wording import one_line
from natadv.errors import BundleError, ResourceError

MOST_S = 300
"""A real model takes seconds for its few golden frames, also on a small board."""
LEAST_BYTES: Final = 1 << 30

_REFUSED: Final = 3
_LENGTH: Final = struct.Struct("<Q")


def most_bytes() -> int:
    """Return how much memory a trial may take: half of the machine's."""
    return max(LEAST_BYTES, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2)


def try_out(model: bytes, golden: bytes, path: Path, *, threads: int | None) -> None:
    """Run a model on its golden frames in a process of its own; what it answers is not looked at.

    Args:
        model: bytes of `model.onnx`.
        golden: bytes of `golden.npz`.
        path: of the model, for the message.
        threads: CPU threads; None leaves it to the runtime.

    Raises:
        BundleError: if the model cannot be opened or run, takes too much, or crashes the process.
        ResourceError: if the process cannot be started.
    """
    # As this process finds its modules, and not what lies where the command was given.
    paths = os.pathsep.join(place or str(Path.cwd()) for place in sys.path)
    # Tokens and passwords are no stranger's business.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NATADV_")}
    command = [sys.executable, "-P", "-m", "edge.trial", str(threads or 0), str(MOST_S), str(most_bytes())]
    try:
        done = subprocess.run(
            command,
            input=b"".join((_LENGTH.pack(len(model)), model, golden)),
            capture_output=True,
            timeout=MOST_S + 30,  # it ends itself before
            env=environment | {"PYTHONPATH": paths},
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired, MemoryError) as error:
        raise ResourceError(f"{path}: no process can be had to try it out ({one_line(error)})") from error
    if done.returncode == 0:
        return
    said = done.stdout.decode(errors="replace")
    if done.returncode == _REFUSED:
        why = one_line(said)
    elif done.returncode == -signal.SIGALRM:
        why = f"it did not answer its golden frames within {MOST_S} s"
    elif done.returncode < 0:
        why = f"it ended the process by {_name(-done.returncode)}"
    else:
        last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise ResourceError(
            f"{path}: the process to try it out ended with {done.returncode} ({one_line(last) or 'no word'})"
        )
    raise BundleError(f"{path}: on trial, {why}; export the model again")


def _name(number: int) -> str:
    if number == signal.SIGKILL:
        return "SIGKILL, as a system does that is short of memory"
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _main(threads: int, most_s: int, most: int) -> int:
    """Be the process: read the parts from standard input, run, and say on standard output what went wrong."""
    _limit(most_s, most)
    # Not before the limits are set; without the GPU's libraries, which `edge.runtime.load_runtime` would load.
    import numpy as np  # noqa: PLC0415
    import onnxruntime  # noqa: PLC0415

    from edge.runtime import open_cpu, why  # noqa: PLC0415

    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # the model's own words go nowhere
    try:
        (size,) = _LENGTH.unpack(sys.stdin.buffer.read(_LENGTH.size))
        model, golden = sys.stdin.buffer.read(size), sys.stdin.buffer.read()
        with np.load(io.BytesIO(golden), allow_pickle=False) as arrays:
            feed = {name: arrays[name] for name in arrays.files if name != "logits"}
        session = open_cpu(onnxruntime, model, threads or None)
        inputs = {item.name: (item.type, item.shape[1:]) for item in session.get_inputs()}
        kinds = {"uint8": "tensor(uint8)", "int32": "tensor(int32)"}
        if inputs == {name: (kinds[str(values.dtype)], list(values.shape[1:])) for name, values in feed.items()}:
            session.run(None, feed)  # any other inputs are refused where this goes on
    except Exception as error:  # noqa: BLE001  # the runtime's errors share no base of their own
        sys.stdout.write(str(error) if isinstance(error, BundleError) else f"it fails: {why(error)}")
        return _REFUSED
    return 0


def _limit(most_s: int, most: int) -> None:
    signal.alarm(most_s)  # ends the process whatever it is at, also where its parent was killed
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    resource.setrlimit(resource.RLIMIT_DATA, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))
    with contextlib.suppress(OSError):  # Linux alone has it, and a sandbox may forbid it
        Path("/proc/self/oom_score_adj").write_text("1000")  # the first to go


if __name__ == "__main__":
    sys.exit(_main(*map(int, sys.argv[1:])))
