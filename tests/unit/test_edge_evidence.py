"""Evidence: the seconds around an alarm, whole on disk, within a budget, and training pictures once labelled."""

import csv
import os
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest

from capture.scan import scan_session
from edge import evidence as evidence_module
from edge.classifier import Classifier
from edge.evidence import (
    ALARM,
    AlarmInfo,
    EvidenceClip,
    EvidenceStore,
    discard,
    evidence_clips,
)
from edge.labelling import label_clip
from edge.parts import labelling_alone
from edge.ring import Ring
from natadv.errors import ConfigError, DataError, ResourceError
from natadv.training.hits import evidence_folders, load_hits
from rigs.archive import open_archive
from rigs.frame import Frame
from rigs.geometry import whole
from tests.evidence_parts import SHAPE, SIZE, answer, frame, indices, info, write
from tests.tiny_bundle import LABELS, RED, write_tiny_bundle


def test_a_ring_keeps_the_last_seconds() -> None:
    ring = Ring(1.0, 1 << 30)
    for number in range(50):
        ring.add(frame(number))
    assert indices(ring.frames) == list(range(40, 50))  # 4.9 - 1.0 is a little more than 3.9
    assert indices(ring.take(4.2, 4.4, SHAPE)) == [42, 43, 44]
    assert indices(ring.frames) == [45, 46, 47, 48, 49]


def test_what_is_held_stays_until_it_is_taken() -> None:
    ring = Ring(1.0, 1 << 30)
    for number in range(50):
        ring.add(frame(number))
        if number == 20:
            ring.hold(1.5)
    ring.add(frame(50, size=(8, 8)))
    assert indices(ring.take(1.5, 99, SHAPE)) == list(range(15, 50))
    for number in range(51, 70):
        ring.add(frame(number))
    assert len(ring.frames) == 11


def test_memory_is_bounded_by_leaving_frames_out_not_time() -> None:
    size = frame(0).image.nbytes
    ring = Ring(4.0, 12 * size)
    for number in range(100):
        ring.add(frame(number))
        assert sum(one.image.nbytes for one in ring.frames) <= 12 * size
    kept = indices(ring.frames)
    assert kept[0] <= 68
    assert kept[-1] >= 96
    assert len(set(np.diff(kept))) == 1
    for number in range(100, 300):  # and every frame is kept again once they are smaller
        ring.add(frame(number, size=(2, 2)))
    assert set(np.diff(indices(ring.frames))) == {1}


def test_frames_that_were_taken_count_until_they_are_given_back() -> None:
    size = frame(0).image.nbytes
    ring = Ring(4.0, 12 * size)
    for number in range(10):
        ring.add(frame(number))
    taken = ring.take(-1, 0.7, SHAPE)
    assert indices(taken) == list(range(8))
    for number in range(10, 200):
        ring.add(frame(number))
        assert len(taken) + len(ring.frames) <= 12
    more = ring.take(-1, 99, SHAPE)
    for number in range(200, 400):
        ring.add(frame(number))
        assert len(taken) + len(more) + len(ring.frames) <= 12 + 1  # the newest stays
    ring.give_back(taken)
    ring.give_back(more)
    for number in range(400, 410):
        ring.add(frame(number))
    assert indices(ring.frames)[-10:] == list(range(400, 410))


def test_a_clock_that_begins_anew_empties_it() -> None:
    ring = Ring(1.0, 1 << 30)
    for number in (500, 501, 0, 1):
        ring.add(frame(number))
    assert indices(ring.frames) == [0, 1]


def test_a_clip_is_a_session_that_a_scan_reads(tmp_path: Path) -> None:
    with EvidenceStore(tmp_path / "e", max_bytes=1 << 30) as store:
        clip = write(store)
        assert clip.name == "20260504T120000.000000-flicker"
        assert [one.name for one in store.clips()] == [clip.name]
    assert clip.label is None
    assert [one.label for one in clip.answers()] == ["red", "green"] * 3
    archive = open_archive(clip.archive.folder)
    assert [one.index for one in archive.clip(archive.settings.items[0], "wet").frames()] == list(range(6))
    with Classifier(write_tiny_bundle(tmp_path / "b"), device="cpu") as classifier:
        summary = scan_session(archive, classifier)
        assert (summary.frames, summary.clips, summary.images.total, summary.wet_frames.total) == (6, 1, 0, 0)
        assert label_clip(clip.archive.folder, "red") == 3
        summary = scan_session(open_archive(clip.archive.folder), classifier, force=True)
    assert (summary.wet_frames.hits, summary.wet_frames.total, summary.items[0].control) == (3, 6, None)
    assert "no control" in summary.hit_definition


def test_labelling_writes_pictures_that_training_takes(tmp_path: Path) -> None:
    with EvidenceStore(tmp_path / "e", max_bytes=1 << 30) as store:
        clip = write(store)
    assert label_clip(clip.archive.folder, "green") == 3
    (folder,) = evidence_folders(tmp_path / "e")
    hits = load_hits(folder, LABELS)
    assert [hits.labels[target] for target in hits.targets] == ["green"] * 3
    assert (hits.read(0) == RED).all()  # the frames that it got wrong
    assert hits.read(0).shape == (16, 24, 3)
    # Another label takes the place of the first, with its pictures.
    assert label_clip(clip.archive.folder, "red") == 3
    (folder,) = evidence_folders(tmp_path / "e")
    with (folder / "provenance.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["label"] for row in rows} == {"red"}
    assert [row["frame_index"] for row in rows] == ["1", "3", "5"]
    assert EvidenceClip(clip.archive.folder).label == "red"


def test_a_part_of_a_clip_can_be_labelled_where_the_scene_changes(tmp_path: Path) -> None:
    with EvidenceStore(tmp_path / "e", max_bytes=1 << 30) as store:
        clip = write(store, count=8)
    assert label_clip(clip.archive.folder, "red", to_s=0.35) == 2
    assert label_clip(clip.archive.folder, "blue", from_s=0.35) == 4
    assert EvidenceClip(clip.archive.folder).label is None
    parts = [load_hits(folder, LABELS) for folder in evidence_folders(tmp_path / "e")]
    assert [[part.labels[target] for target in part.targets] for part in parts] == [["red"] * 2, ["blue"] * 4]


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ({"from_s": 3, "to_s": 2}, "from 3 s to 2 s is no part of a clip of 0.7 s"),
        ({"from_s": -1}, "from -1 s to its end is no part"),
        ({"to_s": 0}, "from 0 s to 0 s is no part"),
        ({"from_s": 0.7}, "from 0.7 s to its end is no part of a clip of 0.7 s"),
        ({"from_s": 0.71}, "from 0.71 s to its end is no part of a clip of 0.7 s"),
        ({"from_s": 5, "to_s": 6}, "from 5 s to 6 s is no part of a clip of 0.7 s"),
        ({"from_s": float("nan")}, "from nan s to its end is no part"),
        ({"to_s": float("inf")}, "from 0 s to inf s is no part"),
    ],
)
def test_what_is_no_part_of_a_clip_is_refused(tmp_path: Path, part: dict[str, float], words: str) -> None:
    with EvidenceStore(tmp_path / "e", max_bytes=1 << 30) as store:
        clip = write(store, count=8)
    with pytest.raises(ConfigError, match=words):
        label_clip(clip.archive.folder, "red", **part)
    assert clip.parts() == []


def test_no_picture_is_trained_on_under_two_labels(tmp_path: Path) -> None:
    with EvidenceStore(tmp_path / "e", max_bytes=1 << 30) as store:
        clip = write(store, count=8)
    folder = clip.archive.folder
    label_clip(folder, "red", to_s=0.35)
    with pytest.raises(ConfigError, match=r"0\.30 to 0\.70 s overlaps 0\.00 to 0\.35 s, labelled red"):
        label_clip(folder, "blue", from_s=0.3)
    assert [(part.label, part.from_s, part.to_s) for part in clip.parts()] == [("red", 0, pytest.approx(0.35))]
    label_clip(folder, "green", to_s=0.35)  # the same part anew
    label_clip(folder, "blue", from_s=0.35)
    assert [part.label for part in clip.parts()] == ["green", "blue"]
    label_clip(folder, "red")  # the whole takes the place of its parts
    assert EvidenceClip(folder).parts() == []
    (left,) = evidence_folders(tmp_path / "e")
    assert {load_hits(left, LABELS).labels[target] for target in load_hits(left, LABELS).targets} == {"red"}
    with pytest.raises(ConfigError, match="is labelled red as a whole"):
        label_clip(folder, "blue", from_s=0.35)


def test_a_frame_on_the_border_of_two_parts_is_in_the_second(tmp_path: Path) -> None:
    with EvidenceStore(tmp_path / "e", max_bytes=1 << 30) as store:
        clip = write(store, count=11)
    label_clip(clip.archive.folder, "blue", to_s=0.5)
    label_clip(clip.archive.folder, "red", from_s=0.5, to_s=1.0)  # the clip's own end is within
    shown = [sorted(path.stem for path in one.rglob("*.png")) for one in evidence_folders(tmp_path / "e")]
    assert shown == [["0000", "0001", "0002", "0003", "0004"], ["0005", "0007", "0009"]]


def test_the_last_frame_is_in_a_part_up_to_the_end(tmp_path: Path) -> None:
    with EvidenceStore(tmp_path / "e", max_bytes=1 << 30) as store:
        clip = write(store, count=11)
    assert label_clip(clip.archive.folder, "green", from_s=0.75) == 2  # 0.8 and 1.0, which it called red
    assert label_clip(clip.archive.folder, "green", from_s=0.75, to_s=1.0) == 2


def test_a_part_may_begin_where_another_ends_whatever_the_clock_said(tmp_path: Path) -> None:
    """A device's clock counts from its start, and sums with such numbers are rounded."""
    frames = [Frame(one.image, one.index, 86_400.1 + one.timestamp_s) for one in map(frame, range(11))]
    answers = [answer(one.index).model_copy(update={"timestamp_s": one.timestamp_s}) for one in frames]
    with EvidenceStore(tmp_path / "e", max_bytes=1 << 30) as store:
        folder = store.write(frames, answers, info(), geometry=whole(SIZE)).archive.folder
    for from_s, to_s, count in ((None, 0.35, 4), (0.35, 0.85, 5), (0.85, None, 2)):
        assert label_clip(folder, "blue", from_s=from_s, to_s=to_s) == count


def test_a_right_answer_that_was_unsure_is_trained_on_too(tmp_path: Path) -> None:
    with EvidenceStore(tmp_path / "e", max_bytes=1 << 30) as store:
        answers = [answer(0, confidence=0.4), answer(1, confidence=0.95)]
        clip = store.write([frame(0), frame(1)], answers, info(), geometry=whole(SIZE))
    assert label_clip(clip.archive.folder, "red") == 1


@pytest.mark.parametrize("label", ["purple", "../red", ""])
def test_a_label_that_the_model_does_not_know_is_refused(tmp_path: Path, label: str) -> None:
    with EvidenceStore(tmp_path / "e", max_bytes=1 << 30) as store:
        clip = write(store)
    with pytest.raises(ConfigError, match="knows no label"):
        label_clip(clip.archive.folder, label)
    assert clip.label is None


def test_a_label_that_leads_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    hostile = AlarmInfo(**{**info().model_dump(), "labels": ("../up", "red")})
    with EvidenceStore(tmp_path / "e", max_bytes=1 << 30) as store:
        clip = store.write([frame(0)], [answer(0)], hostile, geometry=whole(SIZE))
    with pytest.raises(ConfigError, match="cannot be the name of a folder"):
        label_clip(clip.archive.folder, "../up")


def test_without_a_label_there_is_nothing_to_train_on(tmp_path: Path) -> None:
    with EvidenceStore(tmp_path / "e", max_bytes=1 << 30) as store:
        write(store)
    with pytest.raises(DataError, match="no labelled evidence"):
        evidence_folders(tmp_path / "e")


def test_the_oldest_clips_go_first_and_labelled_pictures_stay(tmp_path: Path) -> None:
    with EvidenceStore(tmp_path / "e", max_bytes=1 << 30) as store:
        one = evidence_module._size(write(store).archive.folder)
    label_clip(tmp_path / "e" / "20260504T120000.000000-flicker", "red")
    with EvidenceStore(tmp_path / "e", max_bytes=int(3.5 * one)) as store:
        for second in range(1, 6):
            write(store, second)
        assert [clip.info.at.second for clip in store.clips()] == [5, 4, 3]
    assert len(evidence_folders(tmp_path / "e")) == 1
    assert not list((tmp_path / "e").glob("*.gone"))


def test_a_clip_larger_than_the_budget_is_refused_and_nothing_is_lost(tmp_path: Path) -> None:
    with EvidenceStore(tmp_path / "e", max_bytes=1 << 30) as store:
        write(store)
    with EvidenceStore(tmp_path / "e", max_bytes=1000) as store:
        with pytest.raises(ResourceError, match=r"more than the 0 MB.*--evidence-disk"):
            write(store, 1)
        assert len(store.clips()) == 1


def test_what_a_killed_run_left_is_cleared_away(tmp_path: Path) -> None:
    with EvidenceStore(tmp_path / "e", max_bytes=1 << 30) as store:
        whole_one = write(store)
    for name in ("20260101T000000.000000-flicker.part", "20260101T000000.000000-flicker.gone"):
        (tmp_path / "e" / name).mkdir()
        (tmp_path / "e" / name / ALARM).write_text("{}")
    with EvidenceStore(tmp_path / "e", max_bytes=1 << 30) as store:
        assert [clip.name for clip in store.clips()] == [whole_one.name]
        assert len(list((tmp_path / "e").iterdir())) == 2  # with the lock


def test_one_run_writes_at_a_time_and_never_among_other_things(tmp_path: Path) -> None:
    with (
        EvidenceStore(tmp_path / "e", max_bytes=1),
        pytest.raises(DataError, match="another run writes"),
    ):
        EvidenceStore(tmp_path / "e", max_bytes=1)
    EvidenceStore(tmp_path / "e", max_bytes=1).close()
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.txt").touch()
    with pytest.raises(ConfigError, match="holds other things"):
        EvidenceStore(tmp_path / "home", max_bytes=1)


def test_a_clip_is_kept_while_a_person_labels_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A label is written aside first, and that file is gone when the sizes of all are looked at."""
    real = Path.stat

    def stat(path: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        found = real(path, follow_symlinks=follow_symlinks)
        if path.suffix == ".part" and path.is_relative_to(first):
            path.unlink(missing_ok=True)
        return found

    with EvidenceStore(tmp_path / "e", max_bytes=1 << 30) as store:
        first = write(store).archive.folder
        (first / "session.json.part").touch()
        monkeypatch.setattr(Path, "stat", stat)
        write(store, 1)
        assert len(store.clips()) == 2


def test_a_run_begins_while_somebody_labels(tmp_path: Path) -> None:
    """However long that takes: what it would clear away is the labeller's then."""
    EvidenceStore(tmp_path / "e", max_bytes=1).close()
    (tmp_path / "e" / "labelled" / "one.part").mkdir(parents=True)
    began = threading.Event()

    def begin() -> None:
        EvidenceStore(tmp_path / "e", max_bytes=1).close()
        began.set()

    with labelling_alone(tmp_path / "e" / "labelled"):
        run = threading.Thread(target=begin, daemon=True)
        run.start()
        assert began.wait(5)
        assert (tmp_path / "e" / "labelled" / "one.part").exists()
    begin()
    assert not (tmp_path / "e" / "labelled" / "one.part").exists()


def test_a_clip_that_somebody_removed_costs_no_other(tmp_path: Path) -> None:
    discard(tmp_path / "gone")
    with EvidenceStore(tmp_path / "e", max_bytes=1 << 30) as store:
        clip = write(store)
        shutil.rmtree(clip.archive.folder / "strip")
        assert clip.picture(0) is None


def test_a_damaged_clip_is_left_out_and_may_be_let_go(tmp_path: Path) -> None:
    with EvidenceStore(tmp_path / "e", max_bytes=1 << 30) as store:
        clip = write(store)
        (clip.archive.folder / ALARM).write_text("torn")
        assert store.clips() == []
        discard(clip.archive.folder)
    assert evidence_clips(tmp_path / "e") == []
    with pytest.raises(DataError, match="no such folder"):
        evidence_clips(tmp_path / "nothing")


def test_a_file_is_no_folder_of_evidence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", "utf-8")
    with pytest.raises(ConfigError, match=r"file: is a file; name a folder"):
        EvidenceStore(tmp_path / "file", max_bytes=1)
