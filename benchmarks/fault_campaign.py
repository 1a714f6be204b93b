"""A campaign of faults against sessions on the loopback bench: what was lost, what moved on, what stayed open.

`python -m benchmarks.fault_campaign OUT [--faults 200] [--benches 2]` records sessions one after another by the command
line, as an operator does, on several benches side by side. Meanwhile, at random moments, it kills the process, takes
the display away, pulls the controller's cable, fills the disk, and so on (`benchmarks.campaign_faults`), while the
rig's own `faults:` block lets calls of its devices fail. When the process ends it is started again with `--resume`.
The controller's stand-in says all the while whether the plate moves and a valve is open. OUT gets table.csv and
campaign.json.

The sessions are kept on a RAM disk of their own, which can be filled; mounting one needs root.
"""

import argparse
import contextlib
import csv
import json
import queue
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from multiprocessing import Manager
from pathlib import Path
from typing import Any

import yaml
from rich.progress import Progress

import rigs
from benchmarks.campaign_faults import FAULTS, Fault, Stand
from benchmarks.campaign_process import recording
from benchmarks.loopback_session import draw_images
from benchmarks.loopback_truth import checked
from benchmarks.safety import COASTS_S, Safety
from capture.journal import Reader
from natadv.errors import NatadvError
from rigs.archive import open_archive
from rigs.loopback import STAGE, STAGE_TRUTH, loopback
from rigs.rig import load_rig

IMAGES, SECONDS, DISK = 10, 1.0, "2g"
_RECOVERS_S = 120.0
_AT_REST_S = COASTS_S + 0.5
_FRUITLESS_LIVES = 6
_TELLS_S = 1.0
_ON_PURPOSE = "a fault made on purpose"
CALLS_FAILING = {
    "seed": None,  # another for each process, or each would fail at the same calls
    "stall_s": 1.0,
    "late_s": 0.7,
    "camera": {"stall": 0.0004, "disconnect": 0.0004, "torn": 0.0008, "late": 0.0004, "wrong": 0.0008},
    "screen": {"stall": 0.02, "disconnect": 0.02, "wrong": 0.03, "late": 0.02},
    "stage": {"stall": 0.01, "disconnect": 0.01, "wrong": 0.02, "alarm": 0.01, "late": 0.01},
    "sprayer": {"stall": 0.01, "disconnect": 0.01, "alarm": 0.01, "late": 0.01},
}
RULES = {
    "checks": {"retries": 20, "skipped_in_a_row": 50},
    "reconnect": {"tries": 30, "first_s": _AT_REST_S, "longest_s": _AT_REST_S},
    "limits": {"camera_s": 15, "screen_s": 15, "stage_s": 15, "sprayer_s": 15, "grace_s": 5},
}


@dataclass
class Found:
    """What a campaign came to.

    Attributes:
        faults: (kind, seconds until the session had recorded another clip, None where the process ended) of each made
            from outside.
        calls_failed: how often a fault of the rig's own block was met, by its words.
        unsafe: what moved or stayed open, in words.
        lives: processes that were started.
        clips: complete at the end, verified frame by frame.
        lost: clips that were complete and are not any more.
        not_exact: frames at the end that are not what was shown, so wrong labels and torn frames too.
        not_resumed: sessions that did not come to their end.
        reshot: recordings that were not good and made again.
        coasted_s: longest time until plate and valves were at rest, by what had happened.
        silences: each time that nothing was recorded for `_RECOVERS_S`, and the process was killed: what it did.
    """

    faults: list[tuple[str, float | None]] = field(default_factory=list)
    calls_failed: dict[str, int] = field(default_factory=dict)
    unsafe: list[str] = field(default_factory=list)
    lives: int = 0
    sessions: int = 0
    clips: int = 0
    frames: int = 0
    lost: list[str] = field(default_factory=list)
    not_exact: int = 0
    not_resumed: int = 0
    reshot: int = 0
    coasted_s: dict[str, float] = field(default_factory=dict)
    silences: list[dict[str, Any]] = field(default_factory=list)
    wall_s: float = 0.0


def main() -> None:
    """Run a campaign, write its figures, and print the sums."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--faults", type=int, default=200)
    parser.add_argument("--benches", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    begun_s = time.monotonic()
    with Manager() as manager, Progress() as bars, ProcessPoolExecutor(options.benches) as pool:
        made = manager.Queue()
        seeds = range(options.seed, options.seed + options.benches)
        tasks = [pool.submit(_campaign, seed, -(-options.faults // options.benches), made) for seed in seeds]
        bar = bars.add_task("faults", total=options.faults)
        while not all(task.done() for task in tasks):
            with contextlib.suppress(queue.Empty):
                bars.advance(bar, made.get(timeout=1.0))
        found = _sum(task.result() for task in tasks)
    found.wall_s = round(time.monotonic() - begun_s, 1)
    _write(options.out, found)


def _campaign(seed: int, wanted: int, made: Any) -> Found:
    """Make so many faults, or some more, on a bench of its own; `made` is told of each."""
    found = Found()
    with _ram_disk() as disk, loopback() as names, Safety(Path(names[STAGE_TRUTH])) as safety:
        chance = random.Random(seed)
        with contextlib.closing(Stand(names, disk)) as stand:
            while len(found.faults) < wanted and found.not_resumed < 3:
                folder = stand.disk / f"session-{found.sessions}"
                found.sessions += 1
                _Session(folder, stand, safety, chance, found).run(lambda: made.put(1))
        port = str(Path(names[STAGE]))
        found.coasted_s = {why.replace(port, "controller"): coast_s for why, coast_s in safety.coasted_s.items()}
        found.unsafe = [words.replace(port, "controller") for words in found.unsafe]
    return found


def _sum(parts: Iterable[Found]) -> Found:
    total = Found()
    for part in parts:
        for name, value in vars(part).items():
            so_far = getattr(total, name)
            if not isinstance(value, dict):
                setattr(total, name, so_far + value)
            elif name == "calls_failed":
                total.calls_failed = dict(Counter(so_far) + Counter(value))
            else:
                total.coasted_s = {why: max(so_far.get(why, 0.0), value.get(why, 0.0)) for why in so_far | value}
    return total


class _Session:
    """One session from its beginning to its end, through as many processes as it takes."""

    def __init__(self, folder: Path, stand: Stand, safety: Safety, chance: random.Random, found: Found) -> None:
        self._folder, self._stand, self._safety, self._chance, self._found = folder, stand, safety, chance, found
        self._seed = found.sessions
        self._rig, self._rules = folder.with_name("rig.yaml"), folder.with_name("rules.yaml")
        self._images = folder.with_name("images")
        self._log = folder.with_suffix(".log")
        self._journal = Reader(folder)
        self._events: list[Any] = []
        self._known: dict[tuple[int, str, str], int] = {}
        self._cut_off_s = 0.0

    def run(self, told: Any) -> None:
        self._prepare()
        fruitless = 0
        while fruitless < _FRUITLESS_LIVES:
            before = self._recorded()
            if self._life(told) == 0:
                break
            fruitless = 0 if self._recorded() > before else fruitless + 1
            time.sleep(_AT_REST_S)
        else:
            self._found.not_resumed += 1
        self._close()

    def _prepare(self) -> None:
        settings = yaml.safe_load(Path(rigs.__file__).with_name("loopback.yaml").read_text())
        self._rig.write_text(yaml.safe_dump(settings | {"faults": CALLS_FAILING}))
        self._rules.write_text(yaml.safe_dump(RULES))
        if not self._images.exists():
            draw_images(self._images, IMAGES)

    def _life(self, told: Any) -> int:
        """Run the command until it ends, with faults while it runs; return its exit code."""
        self._found.lives += 1
        command = recording(self._rig, self._images, self._folder, self._rules, seconds=SECONDS, seed=self._seed)
        log = self._log.open("ab")
        with log, subprocess.Popen(command, env=self._stand.environment, stdout=log, stderr=log) as process:
            self._stand.process = process
            try:
                self._trouble(process, told)
            finally:
                if process.poll() is None:
                    process.kill()
        ended_s = time.time()
        self._read()
        words = f"the process ended with {process.returncode}"
        self._safety.check(ended_s, _AT_REST_S, words, reached=ended_s > self._cut_off_s)
        return process.returncode

    def _trouble(self, process: "subprocess.Popen[bytes]", told: Any) -> None:
        """Make one fault after another, each when the session has recorded something since the last."""
        while self._until(self._doing, process):
            time.sleep(self._chance.uniform(0.0, 3.0))
            if process.poll() is not None:
                return
            self._notice()
            fault = self._chance.choices(FAULTS, [fault.weight for fault in FAULTS])[0]
            recorded, at_s = self._recorded(), time.monotonic()
            self._make(fault, process)
            self._until(partial(self._more_than, recorded), process)
            took_s = None if process.poll() is not None else round(time.monotonic() - at_s, 2)
            self._found.faults.append((fault.name, took_s))
            told()

    def _make(self, fault: Fault, process: "subprocess.Popen[bytes]") -> None:
        if fault.cuts_off:
            self._cut_off_s = float("inf")
        fault.make(self._stand, self._chance)
        if fault.cuts_off:
            self._cut_off_s = time.time() + COASTS_S
        if fault.ends:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_RECOVERS_S)
        fault.mend(self._stand)

    def _until(self, condition: Any, process: "subprocess.Popen[bytes]") -> bool:
        """Wait for a condition; False where the process ended, or nothing came in time (it is killed then)."""
        give_up_s = time.monotonic() + _RECOVERS_S
        while process.poll() is None:
            self._read()
            if condition():
                return True
            if time.monotonic() > give_up_s:
                self._found.silences.append(self._silence(process))
                process.kill()
                process.wait()
                return False
            time.sleep(0.05)
        return False

    def _silence(self, process: "subprocess.Popen[bytes]") -> dict[str, Any]:
        """Say what a process did that recorded nothing for so long: failed again and again, or waited, and where."""
        now = datetime.now(UTC)
        meanwhile = [event for event in self._events if event.at >= now - timedelta(seconds=_RECOVERS_S)]
        last = self._events[-1].at if self._events else None
        before = self._log.stat().st_size
        process.send_signal(signal.SIGUSR1)
        time.sleep(_TELLS_S)
        with self._log.open("rb") as log:
            log.seek(before)
            threads = log.read().decode(errors="replace")
        return {
            "session": self._seed,
            "silent_s": _RECOVERS_S,
            "without_an_event_s": None if last is None else round((now - last).total_seconds(), 1),
            "meanwhile": [event.text for event in meanwhile],
            "threads": threads.splitlines(),
        }

    def _read(self) -> None:
        fresh = list(self._journal.events())
        self._events += fresh
        for event in fresh:
            if event.kind == "device-lost":
                at_s = event.at.timestamp()
                if event.wait_s is not None:
                    self._safety.check(at_s, event.wait_s, event.reason, reached=at_s > self._cut_off_s)
            if event.kind == "reshot":
                self._found.reshot += 1
            said = event.reason if event.kind == "device-lost" else ""
            if _ON_PURPOSE in said:
                words = said.partition(" (")[0]
                self._found.calls_failed[words] = self._found.calls_failed.get(words, 0) + 1

    def _recorded(self) -> int:
        return sum(event.kind == "recorded" for event in self._events)

    def _more_than(self, recorded: int) -> bool:
        return self._recorded() > recorded

    def _doing(self) -> bool:
        return bool(self._events) and self._events[-1].kind in ("doing", "recorded")

    def _notice(self) -> None:
        """Note what is complete before the next fault, by the folder that holds it."""
        archive = open_archive(self._folder)
        items = {item.number: item for item in archive.settings.items}
        for record in archive.records():
            folder = archive.clip_folder(items[record.item], record.kind)
            self._known[record.item, record.kind, record.pixels_sha256] = folder.stat().st_ino

    def _close(self) -> None:
        """Verify what is there now, and make room for the next."""
        found = self._found
        try:
            archive = open_archive(self._folder)
            there = {}
            items = {item.number: item for item in archive.settings.items}
            for one in checked(archive, load_rig(self._rig)):
                key = one.record.item, one.record.kind, one.record.pixels_sha256
                there[key] = archive.clip_folder(items[one.record.item], one.record.kind).stat().st_ino
                found.clips += 1
                found.frames += len(one.frames)
                found.not_exact += one.differing
            found.lost += [
                f"session {self._seed}: {key}" for key, node in self._known.items() if there.get(key) != node
            ]
        except NatadvError as error:
            found.lost.append(f"session {self._seed}: {error}")
        found.unsafe += self._safety.findings()
        self._stand.clear()


@contextlib.contextmanager
def _ram_disk() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="natadv-campaign-") as folder:
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", folder], check=True)
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", "--lazy", folder], check=True)


def _write(out: Path, found: Found) -> None:
    out.mkdir(parents=True, exist_ok=True)
    with (out / "table.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["fault", "times", "median_s_to_next_clip", "longest_s_to_next_clip"])
        for fault in FAULTS:
            made = [seconds for name, seconds in found.faults if name == fault.name]
            times = sorted(seconds for seconds in made if seconds is not None)
            rows.writerow([fault.name, len(made), *([times[len(times) // 2], times[-1]] if times else ["", ""])])
        for words, count in sorted(found.calls_failed.items()):
            rows.writerow([words, count, "", ""])
    (out / "campaign.json").write_text(json.dumps(asdict(found), indent=1) + "\n", encoding="utf-8")
    sums = {name: value for name, value in asdict(found).items() if name != "faults"}
    sys.stdout.write(json.dumps({"faults": len(found.faults), **sums}, indent=1) + "\n")


if __name__ == "__main__":
    main()
