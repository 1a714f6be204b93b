"""The figures of an unattended session under faults, from sessions whose truth is known."""

import shutil

import pytest

from benchmarks.unattended_judge import Notes, judge, running_s, slope_mb_an_hour
from capture.desk import Desk
from capture.journal import Journal
from capture.rules import Rules
from capture.unattended import record_unattended
from tests.recording import begun


def _life(begun_s, slope, level, samples=80):
    yield {"at": begun_s, "kind": "life"}
    for number in range(samples):
        at_s = begun_s + 10 * number
        grown = 500 if at_s - begun_s < 120 else slope * (at_s - begun_s) / 3600  # opening a rig takes what it takes
        yield {"at": at_s, "kind": "sample", "rss_mb": level + grown}


def test_memory_is_fitted_within_processes_that_are_warm():
    lines = [*_life(0, 36, 100), *_life(1000, 36, 300)]
    assert slope_mb_an_hour(lines) == pytest.approx(36)
    assert slope_mb_an_hour(list(_life(0, 36, 100, samples=60))) is None
    assert slope_mb_an_hour([]) is None


def test_an_interruption_of_the_whole_is_no_time_of_recording():
    times = [("begun", 0), ("life", 1), ("sample", 50), ("begun", 1000), ("ended", 1030)]
    assert running_s([{"kind": kind, "at": at} for kind, at in times]) == 80
    assert running_s([]) == 0


def test_notes_are_read_again_without_a_line_that_was_cut_off(tmp_path):
    notes = Notes.read(tmp_path / "notes")
    notes.add("fault", name="a")
    with (tmp_path / "notes").open("a") as file:
        file.write('{"at": 3, "ki')
    again = Notes.read(tmp_path / "notes")
    again.add("life", pid=1)
    assert [line["kind"] for line in Notes.read(tmp_path / "notes").lines] == ["fault", "life"]
    assert len(again.of("fault")) == 1


@pytest.fixture
def session(tmp_path):
    archive, settings = begun(tmp_path)
    record_unattended(archive, settings.open, Desk(Journal(archive.folder)), Rules())
    notes = Notes.read(tmp_path / "notes")
    notes.add("begun")
    notes.add("known", keys=[[one.item, one.kind, one.pixels_sha256] for one in archive.records()])
    return archive, notes


def test_a_whole_session_has_lost_nothing(session):
    archive, notes = session
    found = judge(archive.folder, notes)
    assert (found["images"], found["complete"], found["skipped"], found["clips_recorded"]) == (4, 4, 0, 8)
    assert found["frames"] == 4 * (3 + 9)
    for name in ("neither", "clips_lost", "controls_of_another_image"):
        assert found[name] == []
    assert found["frames_lost_and_said"] == found["frames_lost_and_not_said"] == 0


def test_a_clip_that_was_taken_back_with_its_attempt_is_not_lost(session):
    archive, notes = session
    archive.reject(archive.settings.items[1], ["the light drifted"])
    found = judge(archive.folder, notes)
    assert found["clips_lost"] == []
    assert (found["complete"], found["neither"]) == (3, [1])


def test_a_clip_that_is_gone_another_that_is_torn_and_a_wrong_label_are_told(session):
    archive, notes = session
    items, clips = archive.settings.items, archive.clip_folder
    shutil.rmtree(clips(items[0], "wet"))
    notes.add("known", keys=[[9, "wet", "0" * 64]])
    for one, other in ((1, 2), (2, 1)):
        shutil.copy(archive.folder / items[one].image_name, archive.folder / f"images/{other}.moved")
    for number in (1, 2):
        (archive.folder / f"images/{number}.moved").replace(archive.folder / items[number].image_name)
    found = judge(archive.folder, notes)
    assert found["clips_lost"][0] == [9, "wet", "0" * 64]
    assert any("0000-wet" in str(one) for one in found["clips_lost"])
    assert found["controls_of_another_image"] == [1, 2]
