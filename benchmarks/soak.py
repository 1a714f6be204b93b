"""A soak of the live runtime: a bad camera, a page open in Chromium, another model every few minutes, evidence kept.

`python -m benchmarks.soak BUNDLE OTHER_BUNDLE --minutes 62 --out results/soak` writes soak.csv (a line every five
seconds), soak.png (memory, handles, threads, rate, gaps, faults and swaps in one plot) and soak.json (the figures, see
`benchmarks.soak_judge`). Every second swap is asked for just when the camera begins to fail, the others between two of
its faults. `--camera rtsp` looks at the camera's H.264 over RTSP, at 30 a second, rather than at its MJPEG, at 60.
"""

import argparse
import csv
import itertools
import json
import math
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import IO, Final, cast

import numpy as np

from benchmarks import bad_camera
from benchmarks.soak_judge import Asked, Sample, judge
from benchmarks.soak_plot import draw
from edge.bundle import read_bundle, write_bundle

_SAMPLE_S: Final = 5.0
_INTO_FAULT_S: Final = 0.5  # after a fault's begin that a swap which is to fall into it is asked for
_LAST_S: Final = 40.0  # before the end, in which no swap is asked for: there is no time to see what came of it
_COUNTED: Final = ("frames_predicted", "outages", "model_restarts", "model_swaps", "frames_dead")


class Lines(threading.Thread):
    """Reads what a run says, line by line, in a thread of its own.

    Attributes:
        predicted_s: when each prediction was published, by `time.monotonic`, which a network camera's frames have.
        swapped_s: when each swap was done.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        super().__init__(name="lines", daemon=True)
        self.predicted_s: list[float] = []
        self.swapped_s: list[float] = []
        self._stream = stream

    def run(self) -> None:
        """Read until the run ends."""
        for text in self._stream:
            line = json.loads(text)
            if "event" not in line:
                self.predicted_s.append(line["timestamp_s"] + line["age_ms"] / 1e3)
            elif line["event"] == "swapped":
                ago_s = time.time() - datetime.fromisoformat(line["at"]).timestamp()
                self.swapped_s.append(time.monotonic() - ago_s)


@dataclass(frozen=True)
class Plan:
    """When what happens.

    Attributes:
        begin_s: of the soak, by `time.monotonic`; all else is in seconds since then.
        ahead_s: how far the camera's clock is ahead.
        minutes: that it lasts.
        swap_minutes: from one swap to the next, about.
        every_s: from one of the camera's faults to the next.
    """

    begin_s: float
    ahead_s: float
    minutes: float
    swap_minutes: float
    every_s: float

    def swap_at_s(self, number: int) -> float:
        """Return when swap `number`, from 1, is asked for: every second one just in a fault, the others between two.

        Where the soak is nearly over that is never, infinity.
        """
        if number * 60 * self.swap_minutes > 60 * self.minutes - _LAST_S:
            return math.inf
        turn = (number * 60 * self.swap_minutes + self.ahead_s) / self.every_s
        if number % 2:
            return (math.floor(turn) + 0.5) * self.every_s - self.ahead_s
        return math.ceil(turn) * self.every_s + _INTO_FAULT_S - self.ahead_s

    def fault_at(self, at_s: float) -> str:
        """Return what is wrong with the camera at a time, or was within a sample; empty: nothing."""
        return bad_camera.fault_at(at_s + self.ahead_s, _SAMPLE_S, every_s=self.every_s) or ""


def soak(
    bundles: tuple[Path, Path],
    minutes: float,
    swap_minutes: float,
    every_s: float,
    out: Path,
    chromium: str | None,
    camera: str = "http",
) -> None:
    """Run it and write the three files."""
    out.mkdir(parents=True, exist_ok=True)
    scratch = out / "scratch"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    kept = [read_bundle(folder) for folder in bundles]
    write_bundle(scratch / "live.bundle", kept[0])
    ports = {"http": _free_port(), "rtsp": _free_port()}
    page_port = _free_port()
    with ExitStack() as stack:
        failing = [sys.executable, "-m", "benchmarks.bad_camera", str(ports["http"]), "--every", str(every_s)]
        if camera == "rtsp":
            failing += ["--rtsp", str(ports["rtsp"])]
        _start(stack, failing, subprocess.DEVNULL)
        camera_began_s = clock_began_s(f"http://127.0.0.1:{ports['http']}/clock")
        log = stack.enter_context((out / "soak.log").open("w"))
        source = f"{camera}://127.0.0.1:{ports[camera]}/"
        run = _start(stack, _command(scratch, source, page_port), subprocess.PIPE, log)
        lines = Lines(cast("IO[bytes]", run.stdout))
        lines.start()
        address = f"http://127.0.0.1:{page_port}"
        _wait_for(address + "/healthz")
        if chromium:
            profile = f"--user-data-dir={scratch / 'chromium'}"
            headless = ["--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0", profile]
            _start(stack, [chromium, *headless, address + "/"], subprocess.DEVNULL, subprocess.DEVNULL)

        def swap(model: int) -> None:
            write_bundle(scratch / "live.bundle", kept[model], overwrite=True)

        plan = Plan(begin_s := time.monotonic(), begin_s - camera_began_s, minutes, swap_minutes, every_s)
        samples, asked_s = _watch(run, address, plan, swap, out)
        run.send_signal(signal.SIGTERM)
        code = run.wait(30)
        lines.join(10)
    predicted_s = np.sort(np.array(lines.predicted_s)) - begin_s
    swaps = _matched(asked_s, [one - begin_s for one in lines.swapped_s])
    figures = judge(samples, predicted_s, swaps, ahead_s=plan.ahead_s, every_s=every_s)
    figures |= {"camera": camera, "exit_code_after_sigterm": code}
    (out / "soak.json").write_text(json.dumps(figures, indent=1) + "\n")
    draw(samples, predicted_s, figures, out / "soak.png", ahead_s=plan.ahead_s, every_s=every_s)
    shutil.rmtree(scratch, ignore_errors=True)
    print(json.dumps(figures, indent=1))


def clock_began_s(address: str) -> float:
    """Return when the camera's clock began, by `time.monotonic`; waits until there is an answer from its address."""
    clock_s = float(_wait_for(address))  # first: the camera takes seconds until it answers
    return time.monotonic() - clock_s


def _watch(
    run: "subprocess.Popen[bytes]", address: str, plan: Plan, swap: Callable[[int], None], out: Path
) -> tuple[list[Sample], list[float]]:
    """Take samples and ask for swaps until the soak is over; return both, the swaps as seconds since it began."""
    samples: list[Sample] = []
    asked_s: list[float] = []
    next_sample_s = 0.0
    with (out / "soak.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, [field.name for field in fields(Sample)])
        table.writeheader()
        while (now_s := time.monotonic() - plan.begin_s) < 60 * plan.minutes:
            next_swap_s = plan.swap_at_s(len(asked_s) + 1)
            if run.poll() is not None:
                raise SystemExit(f"the run ended by itself, exit code {run.returncode}; see {out / 'soak.log'}")
            if now_s >= next_swap_s:
                asked_s.append(now_s)
                swap(len(asked_s) % 2)
            elif now_s >= next_sample_s:
                samples.append(_sample(run.pid, address, now_s, plan.fault_at(now_s), len(asked_s) % 2))
                table.writerow(asdict(samples[-1]))
                file.flush()
                next_sample_s = now_s + _SAMPLE_S
            else:
                time.sleep(min(next_sample_s, next_swap_s) - now_s)
    return samples, asked_s


def _matched(asked_s: list[float], done_s: list[float]) -> list[Asked]:
    """Return swaps with when each was done, if it was before the next was asked for."""
    return [
        Asked(one, next((done for done in done_s if one <= done < until), None))
        for one, until in itertools.zip_longest(asked_s, asked_s[1:], fillvalue=math.inf)
    ]


def _command(scratch: Path, source: str, page_port: int) -> list[str]:
    """Return the command line of the run."""
    command = [str(Path(sys.executable).with_name("natadv")), "edge", "run", str(scratch / "live.bundle")]
    command += ["--source", source, "--watch", "--page", str(page_port), "--frame-timeout", "5", "--threads", "1"]
    kept = ["--evidence", str(scratch / "evidence"), "--evidence-disk", "300", "--evidence-memory", "400"]
    return command + kept


def _sample(pid: int, address: str, at_s: float, fault: str, model: int) -> Sample:
    status = Path(f"/proc/{pid}/status").read_text()
    said = {line.split(":")[0]: line.split()[1] for line in status.splitlines() if len(line.split()) > 1}
    counts = {}
    for line in urllib.request.urlopen(address + "/metrics", timeout=5).read().decode().splitlines():
        name, _, value = line.rpartition(" ")
        counts[name] = value
    ready = True
    try:
        urllib.request.urlopen(address + "/readyz", timeout=5)
    except urllib.error.HTTPError:
        ready = False
    return Sample(
        round(at_s, 1),
        int(said["VmRSS"]) / 1024,
        len(list(Path(f"/proc/{pid}/fd").iterdir())),
        int(said["Threads"]),
        *(int(float(counts[f"natadv_{name}_total"])) for name in _COUNTED),
        ready,
        fault,
        model,
    )


def _start(stack: ExitStack, command: list[str], out: int, errors: object = None) -> "subprocess.Popen[bytes]":
    process = subprocess.Popen(command, stdout=out, stderr=errors)  # type: ignore[call-overload]

    def end() -> None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()

    stack.callback(end)
    return process  # type: ignore[no-any-return]


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _wait_for(address: str) -> bytes:
    for _ in range(120):
        with suppress(OSError):
            return bytes(urllib.request.urlopen(address, timeout=2).read())
        time.sleep(0.5)
    raise SystemExit(f"{address}: nobody answers")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundles", nargs=2, type=Path, metavar="BUNDLE")
    parser.add_argument("--minutes", type=float, default=62)
    parser.add_argument("--swap-minutes", type=float, default=5.3)
    parser.add_argument("--fault-seconds", type=float, default=bad_camera.EVERY_S)
    parser.add_argument("--out", type=Path, default=Path("results/soak"))
    parser.add_argument("--chromium", default=shutil.which("chromium") or shutil.which("google-chrome"))
    parser.add_argument("--camera", choices=tuple(bad_camera.FPS), default="http", help="How it is looked at.")
    given = parser.parse_args()
    soak(
        tuple(given.bundles),
        given.minutes,
        given.swap_minutes,
        given.fault_seconds,
        given.out,
        given.chromium,
        given.camera,
    )
