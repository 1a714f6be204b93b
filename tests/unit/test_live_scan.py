import os
import signal
import sys
import threading
from pathlib import Path

import pytest

from capture.desk import Desk
from capture.events import Hits, Reshot, Said, Skipped
from capture.journal import Journal, Reader
from capture.live_scan import LiveScan
from capture.scan import scan_session
from capture.session import record_session
from edge.classifier import Classifier
from edge.noise import SEED_BYTES
from natadv.errors import DataError
from rigs.session import Checks
from tests.recording import begun
from tests.scanned_sessions import record
from tests.tiny_bundle import write_tiny_bundle

PLAN = [("r", "rrr", "rrgrgg"), ("g", "ggg", "gggggg"), ("b", "brb", "bbbrrr")]


def _events(folder, kind):
    return [event for event in Reader(folder).events() if isinstance(event, kind)]


@pytest.fixture
def bundles(tmp_path):
    return [write_tiny_bundle(tmp_path / "bundles" / name, labels=("red", "green", "blue")) for name in ("one", "two")]


def test_it_finds_what_a_scan_finds_and_goes_on_where_it_was(tmp_path, bundles):
    archive = record(tmp_path / "session", PLAN, complete=2)
    journal = Journal(archive.folder)
    with LiveScan(archive, bundles, journal, device="cpu") as scan:
        assert scan.wait(60)
        assert scan.waiting == 2  # verdicts that nobody asked for yet
        assert [(item, attempt, len(found)) for item, attempt, found in scan.verdicts()] == [(0, 0, 2), (1, 0, 2)]
        assert scan.waiting == 0
    whole = record(tmp_path / "whole", PLAN)
    with Classifier(bundles[0], device="cpu", noise_seed=bytes(SEED_BYTES)) as model:
        outcome = scan_session(whole, model).items
    found = _events(archive.folder, Hits)
    assert {event.model for event in found} == {"one", "two"}
    for event in found:
        same = outcome[event.item]
        assert (event.hits, event.frames, event.control_right) == (same.hits, same.frames, same.control_right)
    best = next(event for event in found if event.item == 0 and event.model == "one")
    assert (best.best, best.predicted) == (outcome[0].best.frame, "green")
    assert best.pictures
    assert all((archive.folder / picture).is_file() for picture in best.pictures)
    seen = journal.snapshot().hits
    assert (seen["one"].images, seen["one"].fooled, seen["one"].hits) == (2, 1, 3)
    # What has been seen is not looked at again, but told again: who heard it may have ended before it was heeded.
    with LiveScan(archive, bundles, journal, device="cpu") as scan:
        told = scan.verdicts()
        assert scan.waiting == 0
    assert [(item, attempt, [one.model for one in hits]) for item, attempt, hits in told] == [
        (0, 0, ["one", "two"]), (1, 0, ["one", "two"]),
    ]  # fmt: skip
    assert _events(archive.folder, Hits) == found


def test_bundles_of_one_name_are_told_apart(tmp_path):
    archive = record(tmp_path / "session", PLAN[:1])
    bundles = [write_tiny_bundle(tmp_path / part / "plain") for part in "ab"]
    with LiveScan(archive, bundles, Journal(archive.folder), device="cpu") as scan:
        assert scan.wait(60)
    models = {event.model for event in _events(archive.folder, Hits)}
    assert all(model.startswith("plain ") for model in models)


@pytest.mark.parametrize("labels", [("red", "green"), None])
def test_a_bundle_that_cannot_look_is_said_before_anything_is_recorded(tmp_path, labels):
    archive = record(tmp_path / "session", PLAN, complete=0)
    bundle = write_tiny_bundle(tmp_path / "bundle", labels=labels) if labels else tmp_path / "none"
    with pytest.raises(DataError), LiveScan(archive, [bundle], Journal(archive.folder), device="cpu"):
        pass


def test_a_process_that_is_killed_is_started_again_and_recording_goes_on_without_it(tmp_path, bundles):
    archive = record(tmp_path / "session", PLAN)
    journal = Journal(archive.folder)
    with LiveScan(archive, bundles[:1], journal, device="cpu") as scan:
        assert scan.wait(60)
        os.kill(scan._process.pid, signal.SIGKILL)
        scan.put(archive.settings.items[0], 1)
        assert scan.wait(60)
        assert [event.attempt for event in _events(archive.folder, Hits) if event.item == 0] == [0, 1]
        assert "started again" in _events(archive.folder, Said)[0].words
        scan._command = ["false"]
        os.kill(scan._process.pid, signal.SIGKILL)
        scan.put(archive.settings.items[0], 2)
        assert not scan.wait(60)
        assert scan.waiting == 0
        assert _events(archive.folder, Said)[-1].trouble


def test_a_verdict_that_nobody_heeded_is_heeded_when_the_session_goes_on(tmp_path, bundles):
    archive, settings = begun(tmp_path, checks=Checks(retries=1))
    with settings.open() as rig:
        record_session(archive, rig)
    journal = Journal(archive.folder)
    for item in range(4):
        for name in ("one", "two"):
            journal.tell(Hits(item=item, model=name, hits=0, frames=9, control_right=item != 1))
    scan = LiveScan(archive, bundles, journal, device="cpu")
    scan._command = [sys.executable, "-c", MUTE.replace('("one",)', '("one", "two")')]  # nothing is asked of it
    with scan, settings.open() as rig:
        record_session(archive, rig, desk=Desk(journal, scans=_Told(scan)))
    (again,) = _events(archive.folder, Reshot)
    assert (again.item, again.attempt) == (1, 0)
    assert archive.noted()[1, "wet"].attempt == 1


class _Told:
    """What a scan knows already, of which no more is asked."""

    def __init__(self, scan):
        self.verdicts, self._scan = scan.verdicts, scan

    def put(self, item, attempt):
        pass

    @property
    def waiting(self):
        return self._scan.waiting


MUTE = """
import sys, time
from capture.questions import Answer
print(Answer(models=("one",)).model_dump_json(), flush=True)
time.sleep(600)
"""


def test_a_process_that_never_answers_is_killed_and_given_up_in_the_end(tmp_path, bundles):
    archive = record(tmp_path / "session", PLAN)
    scan = LiveScan(archive, bundles[:1], Journal(archive.folder), device="cpu", answer_s=0.2)
    scan._command = [sys.executable, "-c", MUTE]
    with scan:
        assert not scan.wait(60)
        assert scan.waiting == 0
    said = _events(archive.folder, Said)
    assert [event.words for event in said[:-1]] == ["live scan: started again, as it did not answer"] * 3
    assert said[-1].trouble
    assert "given up (it did not answer)" in said[-1].words


HELD = """
import subprocess, sys, time
from capture.questions import Answer
child = subprocess.Popen(["sleep", "120"])
open(sys.argv[1], "w").write(str(child.pid))
print(Answer(models=("one",)).model_dump_json(), flush=True)
time.sleep(600)
"""


def test_a_line_that_somebody_else_holds_open_is_not_waited_for(tmp_path, bundles):
    archive = record(tmp_path / "session", PLAN)
    scan = LiveScan(archive, bundles[:1], Journal(archive.folder), device="cpu")
    scan._command = [sys.executable, "-c", HELD, str(tmp_path / "child")]

    def look():
        with scan:
            pass

    looking = threading.Thread(target=look, daemon=True)
    try:
        looking.start()
        looking.join(60)
        assert not looking.is_alive()
    finally:
        os.kill(int((tmp_path / "child").read_text()), signal.SIGKILL)


@pytest.mark.parametrize("renames", [0, 1])
def test_a_rejection_that_was_killed_half_way_is_finished(tmp_path, monkeypatch, renames):
    archive, settings = begun(tmp_path)
    with settings.open() as rig:
        record_session(archive, rig)
    item, left = archive.settings.items[1], [renames]
    rename = Path.rename

    class Killed(BaseException):
        pass

    def killed(path, aside):
        if not left[0]:
            raise Killed
        left[0] -= 1
        return rename(path, aside)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", killed)
        with pytest.raises(Killed):
            archive.reject(item, ["a test"])
    assert archive.recover().kept == []
    assert [(missing.number, kind) for missing, kind in archive.missing()] == [(1, "dry"), (1, "wet")]
    aside = sorted(path.name for path in (archive.folder / "clips").glob("*.rejected*"))
    assert aside == ["0001-dry.rejected0", "0001-wet.rejected0"]
    with settings.open() as rig:
        record_session(archive, rig)
    assert [record.attempt for record in archive.records() if record.item == 1] == [1, 1]


class _Verdicts:
    """Models that find the control of some images wrong."""

    def __init__(self, wrong):
        self.wrong, self.found, self.put_ = wrong, [], []

    def put(self, item, attempt):
        self.put_.append((item.number, attempt))
        right = (item.number, attempt) not in self.wrong
        hits = [
            Hits(item=item.number, model=name, hits=0, frames=9, control_right=right or name == self.wrong.get("but"))
            for name in ("one", "two")
        ]
        self.found.append((item.number, attempt, hits))

    def verdicts(self):
        found, self.found = self.found, []
        return found

    @property
    def waiting(self):
        return len(self.found)


@pytest.mark.parametrize(
    ("wrong", "checks", "reshot", "skipped"),
    [
        ({(1, 0): 1}, Checks(retries=1), [(1, 0)], []),
        ({(1, 0): 1, (1, 1): 1, (3, 0): 1}, Checks(retries=1), [(1, 0), (1, 1), (3, 0)], [1]),
        ({(1, 0): 1, "but": "two"}, Checks(retries=1), [], []),
        ({(1, 0): 1}, Checks(wrong_control="keep"), [], []),
    ],
)
def test_a_control_that_all_models_get_wrong_is_recorded_again(tmp_path, wrong, checks, reshot, skipped):
    archive, settings = begun(tmp_path, checks=checks)
    scans = _Verdicts(wrong)
    with settings.open() as rig:
        record_session(archive, rig, desk=Desk(Journal(archive.folder), scans=scans))
    assert sorted((event.item, event.attempt) for event in _events(archive.folder, Reshot)) == reshot
    assert [event.item for event in _events(archive.folder, Skipped)] == skipped
    assert len(archive.complete_items()) == 4 - len(skipped)
    assert not archive.missing()
    # What was written of a rejected attempt is put aside, not thrown away.
    assert len(list((archive.folder / "clips").glob("*-wet.rejected*"))) == len(reshot)
    assert archive.recover().kept == []
