import io
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from capture.control import Control
from capture.events import (
    EVENT,
    Began,
    Coverage,
    DeviceBack,
    DeviceLost,
    Disk,
    Doing,
    Hits,
    Paused,
    Recorded,
    Reshot,
    Resumed,
    Said,
    Skipped,
    Stopped,
)
from capture.journal import JOURNAL, Journal, Reader
from capture.snapshot import Snapshot, Telling
from capture.watch import rendering, watch
from natadv.errors import DataError, ResourceError
from tests.recording import begun

START = datetime(2026, 11, 1, 22, 0, tzinfo=UTC)


def _at(minutes):
    return START + timedelta(minutes=minutes)


def _recorded(item, minutes, clip="wet"):
    return Recorded(
        at=_at(minutes), item=item, clip=clip, attempt=0, frames=150, lost=0, complete=clip == "wet",
        coverage=0.1, stored_bytes=4_000_000,
    )  # fmt: skip


STORY = [
    Began(at=_at(0), images=100, done=0, skipped=0, clips=2, pid=42),
    Doing(at=_at(0), item=0, clip="dry", source="stop/0.png", label="stop"),
    _recorded(0, 1, "dry"),
    _recorded(0, 2),
    Hits(at=_at(2), item=0, model="plain", hits=30, frames=150, control_right=True, best=7, predicted="yield"),
    Reshot(at=_at(3), item=1, attempt=0, reasons=("drops cover 0.1 %, not 5 to 20 %",)),
    _recorded(1, 4),
    Hits(at=_at(4), item=1, model="plain", hits=0, frames=150, control_right=True),
    Skipped(at=_at(5), item=2, reasons=("asked by a test",)),
    Disk(at=_at(5), free_bytes=40_000_000, image_bytes=4_000_000, images_left=97),
    DeviceLost(at=_at(6), device="stage", reason="stage: ALARM:1", tries=1, wait_s=2.0),
    DeviceBack(at=_at(7), device="stage", lost_s=2.5),
    Doing(at=_at(7), item=3, clip="wet", source="stop/3.png", label="stop", attempt=1),
    Hits(at=_at(8), item=3, model="plain", hits=0, frames=150, control_right=False),
]


def _told(events):
    telling = Telling()
    for event in events:
        telling.take(event)
    return telling.snapshot()


@pytest.mark.parametrize(
    "event",
    [*STORY, Paused(by="a"), Resumed(by="b"), Said(words="c"), Coverage(disc=0.5, angle=None, clips=1),
     Coverage(disc=0.5, angle=1.0, clips=1), Stopped(outcome="complete", reason="d")],
)  # fmt: skip
def test_every_event_is_a_line_and_one_line_of_words(event):
    line = event.model_dump_json()
    assert EVENT.validate_json(line) == event
    assert event.text
    assert "\n" not in line + event.text


@pytest.mark.parametrize(
    ("found", "enough", "said"),
    [
        ({"disc": 0.93, "angle": 1.0, "clips": 50}, True, "is covered: 93 % of the disc and 100 % of the angles"),
        ({"disc": 0.93, "angle": 0.75, "clips": 50}, False, "is not covered: 93 % of the disc and 75 % of the angles"),
        ({"disc": None, "angle": None, "clips": 50}, None, "nobody knows, as the stage does not say where it is"),
        ({"disc": None, "angle": None, "clips": 0}, None, "is not covered: nothing of the range"),
    ],
)
def test_whether_the_stated_range_is_covered_is_said(found, enough, said, tmp_path):
    coverage = Coverage(**found)
    assert coverage.enough is enough
    assert said in coverage.text
    snapshot = _told([*STORY, coverage, Stopped(outcome="complete", reason="done")])
    assert snapshot.coverage == coverage
    assert said in " ".join(_shown(snapshot, tmp_path, recording=False, width=200).split())


def test_a_snapshot_adds_up_what_happened():
    seen = _told(STORY)
    assert (seen.images, seen.done, seen.skipped, seen.left, seen.reshoots) == (100, 2, 1, 97, 1)
    assert seen.images_per_hour == pytest.approx(30)
    assert seen.left_s == pytest.approx(97 * 120)
    assert (seen.now.item, seen.now.attempt) == (3, 1)
    assert seen.device_lost is None
    assert seen.device_losses == 1
    assert not seen.disk.enough
    hits = seen.hits["plain"]
    assert (hits.images, hits.fooled, hits.hits, hits.controls_wrong) == (2, 1, 30, 1)
    assert seen.log[-1] == "22:08:00 image 3: plain is wrong without drops already"


def test_an_image_that_is_taken_back_counts_no_more():
    seen = _told([*STORY, Reshot(at=_at(9), item=0, attempt=0, reasons=("x",))])
    assert seen.done == 1
    assert seen.hits["plain"].hits == 0


def test_a_lost_device_and_a_pause_show_until_they_are_over():
    lost = DeviceLost(at=_at(9), device="camera", reason="camera: gone", tries=1, wait_s=None)
    assert _told([*STORY, lost]).device_lost == lost
    paused = [*STORY, Paused(at=_at(9), by="me")]
    assert _told(paused).paused_by == "me"
    assert _told([*paused, Resumed(at=_at(10), by="me")]).paused_by is None
    assert _told([*paused, Stopped(at=_at(10), outcome="ended", reason="x")]).paused_by is None


def test_a_journal_is_read_while_it_is_written(tmp_path):
    journal, reader = Journal(tmp_path), Reader(tmp_path)
    heard = []
    journal.listen(heard.append)
    assert list(reader.events()) == []
    journal.tell(STORY[0])
    assert list(reader.events()) == STORY[:1]
    with (tmp_path / JOURNAL).open("ab") as file:
        file.write(b'{"kind": "said", ')  # a line that is being written, or was cut off
    assert list(reader.events()) == []
    for event in STORY[1:3]:
        journal.tell(event)
    assert list(reader.events()) == STORY[1:3]
    assert reader.left_out == 1
    assert heard == STORY[:3]
    with (tmp_path / JOURNAL).open("ab") as file:
        file.write(b'{"kind": "of a later version"}\n')
    again = Journal(tmp_path)
    assert again.snapshot() == _told(STORY[:3]) == journal.snapshot()


def test_a_full_disk_is_heard_of_by_listeners_all_the_same(tmp_path, monkeypatch):
    journal, heard = Journal(tmp_path), []
    journal.listen(heard.append)

    def full(*_):
        raise ResourceError("the disk is full")

    monkeypatch.setattr("capture.journal.append_line", full)
    with pytest.raises(ResourceError):
        journal.tell(STORY[0])
    assert heard == STORY[:1]
    assert journal.snapshot().images == 100


def _shown(snapshot, folder, *, recording, width=100):
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    console.print(rendering(folder, snapshot, recording=recording, now=_at(8)))
    return console.file.getvalue()


def test_watch_renders_what_matters(tmp_path):
    shown = _shown(_told(STORY), tmp_path, recording=True)
    for words in (
        "recording, process 42",
        "2 of 100, 1 skipped, 1 recorded again",
        "image 3 (stop/3.png): clip, attempt 2",
        "30 images an hour, 3:14:00 left, until 01:22 UTC",
        "1 of 2 images fool it, 30 hits; 1 wrong without drops already",
        "full after 10 of the 97 left",
        "in order, lost 1 times so far",
        "22:06:00 stage lost (stage: ALARM:1); opened again in 2 s",
    ):
        assert words in shown


@pytest.mark.parametrize(
    ("events", "recording", "words"),
    [
        ([*STORY, Paused(by="me")], True, "paused by me"),
        (STORY, False, "killed; --resume goes on"),
        ([*STORY, Stopped(outcome="complete", reason="all recorded")], False, "complete: all recorded"),
        ([*STORY, DeviceLost(device="screen", reason="gone", tries=1, wait_s=4)], True, "screen lost (gone)"),
    ],
)
def test_watch_says_how_it_stands(tmp_path, events, recording, words):
    assert words in _shown(_told(events), tmp_path, recording=recording)


def test_a_session_without_a_journal_is_said_so(tmp_path):
    assert "no journal.jsonl yet" in _shown(Snapshot(), tmp_path, recording=False)


def test_markup_in_a_reason_is_no_markup(tmp_path):
    story = [*STORY, Said(words="[bold]not[/bold] [/nothing]")]
    assert "[bold]not[/bold] [/nothing]" in _shown(_told(story), tmp_path, recording=True)


def test_watch_follows_another_process_to_its_end(tmp_path):
    archive, _ = begun(tmp_path)
    code = f"""
import sys
from pathlib import Path
from capture.journal import Journal
from capture.events import Said, Stopped, Began
from rigs.archive import open_archive
archive = open_archive(Path({str(archive.folder)!r}))
with archive.recording():
    journal = Journal(archive.folder)
    journal.tell(Began(images=4, done=0, skipped=0, clips=2, pid=1))
    print("up", flush=True)
    sys.stdin.readline()
    journal.tell(Said(words="nearly there"))
    journal.tell(Stopped(outcome="complete", reason="all done"))
"""
    recorder = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert recorder.stdout.readline() == b"up\n"
    console = Console(file=io.StringIO(), width=100)

    def sleep(_seconds):
        if recorder.stdin.closed:
            return
        recorder.communicate(b"on\n", timeout=60)

    watch(archive.folder, console, sleep=sleep)
    assert recorder.returncode == 0
    shown = console.file.getvalue()
    assert shown.index("began: 4 images") < shown.index("nearly there") < shown.rindex("complete: all done")


def test_watch_of_no_session_is_one_error(tmp_path):
    with pytest.raises(DataError, match="not a session folder"):
        watch(tmp_path, Console(file=io.StringIO()))


def test_watching_does_not_keep_anybody_from_recording(tmp_path):
    from rigs.archive import is_recording

    archive, _ = begun(tmp_path)
    assert not is_recording(archive.folder)
    with archive.recording():
        assert is_recording(archive.folder)
    assert not is_recording(archive.folder)
    assert json.loads((archive.folder / "session.json").read_text())["motion"] == "smooth"
    assert Control().standing == "running"


def test_a_journal_that_cannot_be_read_is_one_line(tmp_path):
    (tmp_path / JOURNAL).mkdir()
    with pytest.raises(DataError, match=r"journal.jsonl: cannot be read \(Is a directory\)"):
        Journal(tmp_path)
