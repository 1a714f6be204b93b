"""A soak of the live runtime: a bad camera, a page open in Chromium, another model every few minutes, evidence kept.

`python -m benchmarks.soak BUNDLE OTHER_BUNDLE --minutes 60 --out results/soak` writes soak.csv (a line every five
seconds), soak.png (memory, handles, threads, rate, faults and swaps in one plot) and soak.json (the figures).
"""

import argparse
import csv
import itertools
import json
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
from matplotlib import pyplot

from benchmarks import bad_camera
from edge.bundle import read_bundle, write_bundle

_SAMPLE_S = 5.0
_WARM_S = 600.0  # after which memory ought to be flat: rings are full, each model was loaded once
_BACK_S = 20.0  # that a camera which is there again may be waited for


@dataclass
class Sample:
    """The run at one moment; counts are since its start."""

    at_s: float
    rss_mb: float
    handles: int
    threads: int
    predicted: int
    outages: int
    restarts: int
    swaps: int
    dead: int
    ready: bool
    fault: str
    model: int


def soak(bundles: tuple[Path, Path], minutes: float, swap_minutes: float, out: Path, chromium: str | None) -> None:
    """Run it and write the three files."""
    out.mkdir(parents=True, exist_ok=True)
    scratch = out / "scratch"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    kept = [read_bundle(folder) for folder in bundles]
    write_bundle(scratch / "live.bundle", kept[0])
    camera_port, page_port = _free_port(), _free_port()
    with ExitStack() as stack:
        camera = f"http://127.0.0.1:{camera_port}"
        _start(stack, [sys.executable, "-m", "benchmarks.bad_camera", str(camera_port)], subprocess.DEVNULL)
        camera_began_s = time.monotonic() - float(_wait_for(f"{camera}/clock"))
        log = stack.enter_context((out / "soak.log").open("w"))
        run = _start(
            stack,
            [
                str(Path(sys.executable).with_name("natadv")),
                "edge",
                "run",
                str(scratch / "live.bundle"),
                "--source",
                f"{camera}/",
                "--watch",
                "--page",
                str(page_port),
                "--frame-timeout",
                "5",
                "--threads",
                "1",
                "--evidence",
                str(scratch / "evidence"),
                "--evidence-disk",
                "300",
                "--evidence-memory",
                "400",
            ],
            subprocess.DEVNULL,
            log,
        )
        address = f"http://127.0.0.1:{page_port}"
        _wait_for(address + "/healthz")
        if chromium:
            profile = f"--user-data-dir={scratch / 'chromium'}"
            headless = ["--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0", profile]
            _start(stack, [chromium, *headless, address + "/"], subprocess.DEVNULL, subprocess.DEVNULL)
        samples: list[Sample] = []
        model, next_swap_s, begin_s = 0, 60 * swap_minutes, time.monotonic()
        with (out / "soak.csv").open("w", newline="") as file:
            table = csv.DictWriter(file, [field.name for field in fields(Sample)])
            table.writeheader()
            while (now_s := time.monotonic() - begin_s) < 60 * minutes:
                if now_s >= next_swap_s:
                    model = 1 - model
                    write_bundle(scratch / "live.bundle", kept[model], overwrite=True)
                    next_swap_s += 60 * swap_minutes
                if run.poll() is not None:
                    raise SystemExit(f"the run ended by itself, exit code {run.returncode}; see {out / 'soak.log'}")
                samples.append(_sample(run.pid, address, now_s, begin_s - camera_began_s, model))
                table.writerow(asdict(samples[-1]))
                file.flush()
                time.sleep(max(0.0, begin_s + now_s + _SAMPLE_S - time.monotonic()))
        run.send_signal(signal.SIGTERM)
        code = run.wait(30)
    figures = judge(samples, swap_minutes) | {"exit_code_after_sigterm": code}
    (out / "soak.json").write_text(json.dumps(figures, indent=1) + "\n")
    draw(samples, figures, out / "soak.png")
    shutil.rmtree(scratch, ignore_errors=True)
    print(json.dumps(figures, indent=1))


def judge(samples: list[Sample], swap_minutes: float) -> dict[str, float | int]:
    """Return what a soak came to."""
    late = [one for one in samples if one.at_s >= min(_WARM_S, samples[-1].at_s / 2)]
    hours = np.array([one.at_s for one in late]) / 3600
    slope, _ = np.polyfit(hours, [one.rss_mb for one in late], 1)
    faults = [a for b, a in itertools.pairwise(samples) if a.fault and not b.fault]
    missed = 0
    for fault in faults:
        over_s = fault.at_s + bad_camera.LASTS_S[fault.fault] + _BACK_S
        after = [one for one in samples if over_s <= one.at_s < over_s + 2 * _SAMPLE_S]
        missed += len(after) > 1 and after[-1].predicted <= after[0].predicted
    quiet = [(b, a) for b, a in itertools.pairwise(samples) if a.model != b.model and not (a.fault or b.fault)]
    return {
        "minutes": round(samples[-1].at_s / 60, 1),
        "predictions": samples[-1].predicted,
        "predictions_per_s": round(samples[-1].predicted / samples[-1].at_s, 1),
        "rss_mb_slope_per_hour": round(float(slope), 2),
        "rss_mb_first_late": round(late[0].rss_mb, 1),
        "rss_mb_last": round(late[-1].rss_mb, 1),
        "rss_mb_most": round(max(one.rss_mb for one in samples), 1),
        "handles_least_most_late": [min(one.handles for one in late), max(one.handles for one in late)],  # type: ignore[dict-item]
        "threads_least_most_late": [min(one.threads for one in late), max(one.threads for one in late)],  # type: ignore[dict-item]
        "faults_seen": len(faults),
        "restarts_of_the_camera_missed": missed,
        "outages": samples[-1].outages,
        "dead_frames": samples[-1].dead,
        "swaps_asked": int(samples[-1].at_s // (60 * swap_minutes)),
        "swaps_done": samples[-1].swaps,
        "swaps_without_a_prediction_within_5_s": sum(a.predicted <= b.predicted for b, a in quiet),
        "model_restarts": samples[-1].restarts,
    }


def draw(samples: list[Sample], figures: dict[str, float | int], path: Path) -> None:
    """Draw all of it over time."""
    pyplot.switch_backend("agg")
    minutes = [one.at_s / 60 for one in samples]
    chart, rows = pyplot.subplots(4, 1, figsize=(11, 9), sharex=True)
    rates = [
        0.0,
        *((a.predicted - b.predicted) / (a.at_s - b.at_s) for b, a in itertools.pairwise(samples)),
    ]
    series = (
        ("resident memory, MB", [one.rss_mb for one in samples]),
        ("file handles", [one.handles for one in samples]),
        ("threads", [one.threads for one in samples]),
        ("predictions a second", rates),
    )
    for axis, (title, values) in zip(rows, series, strict=True):
        axis.plot(minutes, values, linewidth=1, color="#1f5fa8")
        axis.set_ylabel(title)
        axis.set_ylim(bottom=0)
        axis.grid(alpha=0.3)
        for before, after in itertools.pairwise(samples):
            if after.model != before.model:
                axis.axvline(after.at_s / 60, color="#2a8f4a", linewidth=1)
            if after.fault:
                axis.axvspan(before.at_s / 60, after.at_s / 60, color="#c0392b", alpha=0.15, linewidth=0)
    rows[-1].set_xlabel("minutes; red: the camera fails, green: the model is swapped")
    rows[0].set_title(
        f"{figures['predictions']} predictions; memory {figures['rss_mb_slope_per_hour']:+} MB/h after the warm-up;"
        f" {figures['faults_seen']} faults, {figures['restarts_of_the_camera_missed']} not recovered from;"
        f" {figures['swaps_done']} of {figures['swaps_asked']} swaps",
        fontsize=10,
    )
    chart.tight_layout()
    chart.savefig(path, dpi=90)


def _sample(pid: int, address: str, at_s: float, camera_ahead_s: float, model: int) -> Sample:
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
        bad_camera.fault_at(at_s + camera_ahead_s, _SAMPLE_S) or "",
        model,
    )


_COUNTED = ("frames_predicted", "outages", "model_restarts", "model_swaps", "frames_dead")


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
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--swap-minutes", type=float, default=5)
    parser.add_argument("--out", type=Path, default=Path("results/soak"))
    parser.add_argument("--chromium", default=shutil.which("chromium") or shutil.which("google-chrome"))
    given = parser.parse_args()
    soak(tuple(given.bundles), given.minutes, given.swap_minutes, given.out, given.chromium)
