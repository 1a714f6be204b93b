"""Open hostile bundles, each in a process of its own with limits, and say what came of it.

    python -m tests.hostile.runner 0 300       # seeds 0 to 299, one line of JSON each
    python -m tests.hostile.runner 17 1        # seed 17 again

One process imports everything once and forks for each seed, so that a crash, a hang or hunger is the fork's alone.
"""

import contextlib
import json
import os
import resource
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_CHECKOUT = Path(__file__).resolve().parents[2]
_ADDRESSES_BYTES = 4 << 30
_RESIDENT_BYTES, _TRIAL_BYTES = 700 << 20, 500 << 20
_CPU_S, _WALL_S = 12, 25


def run(first: int, count: int, *, jobs: int = 2, timeout_s: float) -> list[dict[str, Any]]:
    """Return what came of each seed: its `seed`, `done`, `outcome` and `said`, see `tests.hostile.judge`."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(_CHECKOUT)}
    command = [sys.executable, "-m", "tests.hostile.runner"]
    share = -(-count // jobs)
    running = [
        subprocess.Popen(
            [*command, str(start), str(min(share, first + count - start))],
            cwd=_CHECKOUT,
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        for start in range(first, first + count, share)
    ]
    found = []
    for process in running:
        try:
            lines = process.communicate(timeout=timeout_s)[0].splitlines()
        except BaseException:
            process.kill()
            raise
        if process.returncode:
            raise RuntimeError(f"{process.args} ended with {process.returncode} after {len(lines)} bundles")
        found += [json.loads(line) for line in lines]
    return found


def _each(first: int, count: int) -> Iterator[dict[str, Any]]:
    # Loaded once, here: every fork has them. No session is opened in this process, so no thread works in it.
    import onnxruntime  # noqa: F401

    from tests.hostile import judge  # noqa: F401
    from tests.hostile.bundles import write_hostile

    for seed in range(first, first + count):
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch) / "b" / "bundle"
            folder.parent.mkdir()
            done = write_hostile(folder, seed)
            began = time.monotonic()
            outcome, said = _opened(folder, Path(scratch))
            took_s = round(time.monotonic() - began, 2)
            yield {"seed": seed, "done": done, "outcome": outcome, "said": said, "s": took_s}


def _opened(folder: Path, scratch: Path) -> tuple[str, str]:
    """Open the bundle in a fork and return what came of it."""
    cwd = scratch / "cwd"
    for place in (cwd, scratch / "elsewhere"):
        place.mkdir()
        (place / "weights.bin").write_bytes(_weights())
    before = _tree(scratch)
    answer, written = os.pipe()
    silent, _held_open = os.pipe()
    log = scratch.with_name(scratch.name + ".log")
    began = time.monotonic()
    pid = os.fork()
    if not pid:
        _be_the_fork(folder, cwd, silent, written, log)
    os.close(written)
    ready, _, _ = select.select([answer], [], [], _WALL_S)
    said = b""
    if ready:
        while part := os.read(answer, 1 << 16):
            said += part
    else:
        os.killpg(pid, signal.SIGKILL)
    _, status, used = os.wait4(pid, 0)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)  # what it left behind
    for descriptor in (answer, silent, _held_open):
        os.close(descriptor)
    chatter = log.read_text(errors="replace")
    log.unlink()
    if not ready:
        return "hang", f"nothing after {time.monotonic() - began:.0f} s"
    if status:
        return "crash", f"status {status}, signal {os.WTERMSIG(status)}; {chatter[-300:]!r}"
    outcome, text = json.loads(said)
    if used.ru_maxrss * 1024 > _RESIDENT_BYTES:
        return "hungry", f"{used.ru_maxrss >> 10} MB; {outcome}: {text}"
    if chatter:
        return "chatter", f"{outcome}: {chatter[:300]!r}"
    after = _tree(scratch)
    for weights in ("cwd/weights.bin", "elsewhere/weights.bin"):
        before.discard(weights)
        after.discard(weights)
    if before != after:
        return "touched", f"{outcome}: {sorted(before ^ after)[:5]}"
    return outcome, text


def _be_the_fork(folder: Path, cwd: Path, silent: int, written: int, log: Path) -> None:
    try:
        os.setsid()
        os.chdir(cwd)
        said = os.open(log, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        for descriptor, source in ((0, silent), (1, said), (2, said)):
            os.dup2(source, descriptor)
        resource.setrlimit(resource.RLIMIT_AS, (_ADDRESSES_BYTES, _ADDRESSES_BYTES))
        resource.setrlimit(resource.RLIMIT_CPU, (_CPU_S, _CPU_S + 1))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        import edge.trial
        from tests.hostile.judge import outcome

        # Below the limits of the fork: it is the trial's own that must save the machine.
        edge.trial.MOST_S, edge.trial.most_bytes = 3, lambda: _TRIAL_BYTES
        os.write(written, json.dumps(outcome(folder)).encode())
    except BaseException as error:  # noqa: BLE001  # a fork must not go on as if it were its parent
        os.write(2, repr(error).encode())
        os._exit(3)
    os._exit(0)


def _weights() -> bytes:
    import numpy as np

    return np.eye(3, dtype=np.float32).tobytes()


def _tree(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


if __name__ == "__main__":
    for found in _each(int(sys.argv[1]), int(sys.argv[2])):
        sys.stdout.write(json.dumps(found) + "\n")
        sys.stdout.flush()
