"""An unattended session under random faults, to its end: what it recorded, and what became of that.

`python -m benchmarks.unattended WORK --images 300 [--rig simulated] [--faults-an-hour 12]` records a session by the
command line, as an operator does. Meanwhile faults from outside (`benchmarks.campaign_faults`) come at random moments
at that mean rate, and calls of the devices fail by the rig's own `faults:` block; whenever the process ends it is
started again with `--resume`, until the session is complete. Images, session and notes are kept in WORK, so this may
be interrupted itself: said again, it goes on. `--out` gets unattended.json and unattended.png (`unattended_judge`).

The disk is not filled (`benchmarks.fault_campaign` does), as other things live on it.
"""

import argparse
import contextlib
import json
import math
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

import yaml

import rigs
from benchmarks.campaign_faults import FAULTS, Fault, Stand
from benchmarks.campaign_process import recording
from benchmarks.fault_campaign import CALLS_FAILING, RULES
from benchmarks.loopback_session import draw_images
from benchmarks.unattended_judge import Notes, judge
from benchmarks.unattended_plot import draw
from capture.journal import Reader
from natadv.errors import DataError
from rigs.archive import open_archive
from rigs.loopback import loopback
from rigs.rig import load_rig

_SAMPLE_S: Final = 5.0
_LOOK_S: Final = 0.2
_ENDS_S: Final = 120.0
_SILENT_S: Final = 1800.0  # longer than all that the session waits for by itself
_FRUITLESS_LIVES: Final = 10


def main() -> None:
    """Run, or go on, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("--images", type=int, default=300)
    parser.add_argument("--rig", choices=("simulated", "loopback"), default="simulated")
    parser.add_argument("--seconds", type=float, default=5.0, help="of a clip")
    parser.add_argument("--faults-an-hour", type=float, default=12.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("results/rig/unattended"))
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # who ends this ends the session in good order too
    options.work.mkdir(parents=True, exist_ok=True)
    with loopback() if options.rig == "loopback" else contextlib.nullcontext({}) as names:
        try:
            with contextlib.closing(Stand(names, options.work)) as stand:
                _Run(options, stand).run()
        except KeyboardInterrupt:
            parser.exit(130, f"interrupted; said again it goes on in {options.work}\n")
    notes = Notes.read(options.work / "notes.jsonl")
    rig = load_rig(options.work / "rig.yaml") if options.rig == "loopback" else None
    figures = judge(options.work / "session", notes, rig)
    figures = {"rig": options.rig, "clip_s": options.seconds, "faults_an_hour": options.faults_an_hour, **figures}
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "unattended.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    draw(options.work / "session", notes, figures, options.out / "unattended.png")
    sys.stdout.write(json.dumps(figures, indent=1) + "\n")


class _Run:
    """One run of this program over a session, from its begin or from where the last one was interrupted."""

    def __init__(self, options: Any, stand: Stand) -> None:
        work = options.work
        self._options, self._stand = options, stand
        self._session, self._log = work / "session", work / "session.log"
        self._notes = Notes.read(work / "notes.jsonl")
        self._journal = Reader(self._session)
        self._recorded = 0
        self._faults = [fault for fault in FAULTS if fault.of in _of(options.rig)]
        self._next_s = math.inf
        self._known: set[tuple[int, str, str]] = set()

    def run(self) -> None:
        """Start the command again and again, until it says that all is done."""
        self._prepare()
        self._notes.add("begun")
        self._next_s = self._drawn()[0]
        fruitless, before = 0, 0
        while (code := self._life()) != 0:
            self._read()
            done, before = self._recorded > before, self._recorded
            fruitless = 0 if done else fruitless + 1
            if fruitless == _FRUITLESS_LIVES:
                raise DataError(f"{self._log}: {fruitless} processes recorded nothing, the last ended with {code}")
        self._note_known()

    def _prepare(self) -> None:
        options, work = self._options, self._options.work
        draw_images(work / "images", options.images)
        settings = yaml.safe_load(Path(rigs.__file__).with_name(f"{options.rig}.yaml").read_text())
        (work / "rig.yaml").write_text(yaml.safe_dump(settings | {"faults": CALLS_FAILING}))
        (work / "rules.yaml").write_text(yaml.safe_dump(RULES))

    def _drawn(self) -> tuple[float, Fault, random.Random]:
        """Return when the next fault comes, by the machine's clock, which, and the chance that it is made by."""
        drawn = len(self._notes.of("fault")), len(self._notes.of("begun"))
        chance = random.Random(f"{self._options.seed} {drawn}")
        wait_s = chance.expovariate(self._options.faults_an_hour / 3600)
        return time.monotonic() + wait_s, chance.choices(self._faults, [one.weight for one in self._faults])[0], chance

    def _life(self) -> int:
        work, options = self._options.work, self._options
        command = recording(
            work / "rig.yaml",
            work / "images",
            self._session,
            work / "rules.yaml",
            seconds=options.seconds,
            seed=options.seed,
        )
        with (
            self._log.open("ab") as log,
            subprocess.Popen(command, env=self._stand.environment, stdout=log, stderr=log) as process,
        ):
            self._stand.process = process
            self._notes.add("life", pid=process.pid)
            try:
                self._look_after(process)
            finally:
                if process.poll() is None:  # we are interrupted
                    process.send_signal(signal.SIGTERM)
                    _end(process)
                self._notes.add("ended", code=process.returncode)
        return int(process.returncode)

    def _look_after(self, process: "subprocess.Popen[bytes]") -> None:
        sample_s, heard_s = 0.0, time.monotonic()
        while process.poll() is None:
            now_s = time.monotonic()
            if self._read():
                heard_s = now_s
            if now_s - heard_s > _SILENT_S:
                self._notes.add("silence", silent_s=_SILENT_S)
                process.kill()
            if now_s >= sample_s:
                sample_s = now_s + _SAMPLE_S
                self._notes.add("sample", rss_mb=_rss_mb(process.pid), recorded=self._recorded)
            if now_s >= self._next_s:
                self._trouble(process)
            time.sleep(_LOOK_S)

    def _trouble(self, process: "subprocess.Popen[bytes]") -> None:
        """Make the next fault, if there is a session yet that could lose something."""
        _, fault, chance = self._drawn()
        if (self._session / "session.json").exists():
            self._note_known()
            self._notes.add("fault", name=fault.name)
            fault.make(self._stand, chance)
            if fault.ends:
                _end(process)
            fault.mend(self._stand)
        self._next_s = self._drawn()[0]

    def _read(self) -> bool:
        """Take in what the session tells; return whether it recorded something."""
        before = self._recorded
        self._recorded += sum(event.kind == "recorded" for event in self._journal.events())
        return self._recorded > before

    def _note_known(self) -> None:
        """Note what is complete now, to find it again in the end."""
        there = {(one.item, one.kind, one.pixels_sha256) for one in open_archive(self._session).records()}
        self._notes.add("known", keys=sorted(there - self._known))
        self._known |= there


def _of(rig: str) -> set[str]:
    return {"process"} if rig == "simulated" else {"process", "display", "controller"}


def _end(process: "subprocess.Popen[bytes]") -> None:
    try:
        process.wait(_ENDS_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _rss_mb(pid: int) -> float | None:
    with contextlib.suppress(OSError):
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        return round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, 1)
    return None


if __name__ == "__main__":
    main()
