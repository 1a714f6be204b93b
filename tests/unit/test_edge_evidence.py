"""Evidence: the seconds around an alarm, whole on disk, within a budget, and training pictures once labelled."""

import csv
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from capture.scan import scan_session
from edge import evidence as evidence_module
from edge.classifier import Classifier
from edge.events import EventLog
from edge.evidence import (
    ALARM,
    AlarmInfo,
    Answer,
    EvidenceClip,
    EvidenceStore,
    discard,
    evidence_clips,
)
from edge.labelling import label_clip
from edge.prediction import Prediction
from edge.recorder import EvidenceRule, Recorder
from edge.ring import Ring
from edge.sinks import Observation, Stages
from edge.source import Shot
from edge.supply import Taken
from natadv.errors import ConfigError, DataError, ResourceError
from natadv.training.hits import evidence_folders, load_hits
from rigs.archive import open_archive
from rigs.frame import Frame
from rigs.geometry import whole
from tests.live_fakes import Camera, Model
from tests.tiny_bundle import GREEN, LABELS, RED, write_tiny_bundle

SIZE = (16, 24)
BEGAN = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
RULE = EvidenceRule(before_s=2, after_s=2, longest_s=8, rest_s=3)


def frame(number: int, colour: tuple[int, int, int] = RED, size: tuple[int, int] = SIZE) -> Frame:
    """Return a frame of ten a second."""
    return Frame(np.full((*size, 3), colour, np.uint8), number, number / 10)


def info(second: int = 0, signs: tuple[str, ...] = ("flicker",)) -> AlarmInfo:
    at = BEGAN + timedelta(seconds=second)
    return AlarmInfo(at=at, signs=signs, said="green", source="0", model_sha256="0" * 64, labels=LABELS)


def answer(number: int, label: str = "red", confidence: float = 0.9) -> Answer:
    return Answer(index=number, timestamp_s=number / 10, label=label, confidence=confidence)


def write(store: EvidenceStore, second: int = 0, count: int = 6) -> EvidenceClip:
    frames = [frame(number, GREEN if number % 2 else RED) for number in range(count)]
    answers = [answer(number, "green" if number % 2 else "red") for number in range(count)]
    return store.write(frames, answers, info(second), geometry=whole(SIZE))


def test_a_ring_keeps_the_last_seconds() -> None:
    ring = Ring(1.0, 1 << 30)
    for number in range(50):
        ring.add(frame(number))
    assert [one.index for one in ring.release(-1, 99)] == list(range(40, 50))  # 4.9 - 1.0 is a little more than 3.9
    assert [one.index for one in ring.release(4.2, 4.4)] == [42, 43, 44]


def test_what_is_held_stays_until_it_is_taken() -> None:
    ring = Ring(1.0, 1 << 30)
    for number in range(50):
        ring.add(frame(number))
        if number == 20:
            ring.hold(1.5)
    assert [one.index for one in ring.release(1.5, 99)] == list(range(15, 50))
    ring.add(frame(50))
    assert len(ring.release(-1, 99)) == 11


def test_memory_is_bounded_by_leaving_frames_out_not_time() -> None:
    size = frame(0).image.nbytes
    ring = Ring(4.0, 12 * size)
    for number in range(100):
        ring.add(frame(number))
        assert sum(one.image.nbytes for one in ring.release(-1, 99)) <= 12 * size
    kept = [one.index for one in ring.release(-1, 99)]
    assert kept[0] <= 68
    assert kept[-1] >= 96
    assert len(set(np.diff(kept))) == 1
    for number in range(100, 300):  # and every frame is kept again once they are smaller
        ring.add(frame(number, size=(2, 2)))
    assert set(np.diff([one.index for one in ring.release(-1, 99)])) == {1}


def test_a_clock_that_begins_anew_empties_it() -> None:
    ring = Ring(1.0, 1 << 30)
    for number in (500, 501, 0, 1):
        ring.add(frame(number))
    assert [one.index for one in ring.release(-1, 999)] == [0, 1]


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
    with pytest.raises(ConfigError, match="from 3 s to 2 s is no part"):
        label_clip(clip.archive.folder, "red", from_s=3, to_s=2)


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


def test_a_damaged_clip_is_left_out_and_may_be_let_go(tmp_path: Path) -> None:
    with EvidenceStore(tmp_path / "e", max_bytes=1 << 30) as store:
        clip = write(store)
        (clip.archive.folder / ALARM).write_text("torn")
        assert store.clips() == []
        discard(clip.archive.folder)
    assert evidence_clips(tmp_path / "e") == []
    with pytest.raises(DataError, match="no such folder"):
        evidence_clips(tmp_path / "nothing")


class Run:
    """Drives a recorder as a live run would: ten frames a second, an alarm while `alarms` says so."""

    def __init__(self, folder: Path, rule: EvidenceRule = RULE) -> None:
        self.events, self.camera = EventLog(), Camera(1)
        self.store = EvidenceStore(folder, max_bytes=1 << 30)
        model = Model(self.camera, 0)
        model.labels = LABELS  # type: ignore[assignment]
        self.recorder = Recorder(self.store, self.events, rule, source="0", model=lambda: model)
        self.number = 0

    def go(self, count: int, *, alarm: bool, size: tuple[int, int] = SIZE, every: int = 1) -> None:
        for _ in range(count):
            shot = Shot(frame(self.number, size=size))
            self.recorder.saw(Taken(shot, self.camera))
            if self.number % every == 0:
                said = Prediction("green", 1, 0.5, np.zeros(3, np.float32))
                signs = ("flicker",) if alarm else ()
                at = BEGAN + timedelta(seconds=self.number / 10)
                self.recorder.write(
                    Observation(shot, said, Stages(0, 0, 0), 0.0, 10.0, signs=signs, alarm=alarm, at=at)
                )
            self.number += 1
            self.recorder._work.join()  # these frames come faster than any camera's

    def end(self) -> list[list[int]]:
        self.recorder.close()
        clips = [clip.archive.clip(clip.archive.settings.items[0], "wet") for clip in evidence_clips(self.store.folder)]
        self.store.close()
        return [clip.table()["index"].to_pylist() for clip in clips]


def test_the_seconds_before_during_and_after_an_alarm_are_kept(tmp_path: Path) -> None:
    run = Run(tmp_path / "e")
    run.go(50, alarm=False)
    run.go(10, alarm=True)
    run.go(60, alarm=False)
    assert run.end() == [list(range(30, 80))]  # from 3.0 s, two before 5.0, to 7.9, two after 5.9
    assert run.recorder.kept == 1
    assert [event.kind for event in run.events.latest(9)] == ["evidence"]


def test_frames_that_the_model_skipped_are_in_the_clip(tmp_path: Path) -> None:
    run = Run(tmp_path / "e")
    run.go(50, alarm=False, every=5)
    run.go(10, alarm=True, every=5)
    run.go(60, alarm=False, every=5)
    (indices,) = run.end()
    assert indices == list(range(indices[0], indices[-1] + 1))
    (clip,) = evidence_clips(tmp_path / "e")
    assert [one.index for one in clip.answers()] == [number for number in indices if number % 5 == 0]


def test_a_long_alarm_is_cut_and_the_next_rests(tmp_path: Path) -> None:
    run = Run(tmp_path / "e")
    run.go(50, alarm=False)
    run.go(300, alarm=True)
    clips = run.end()
    assert [indices[-1] - indices[0] for indices in clips[:-1]] == [80] * (len(clips) - 1)
    # 8 s of clip; then 3 s of rest, of which 2 are what came before the next.
    assert [later[0] - earlier[-1] for earlier, later in pairwise(clips)] == [10] * (len(clips) - 1)
    assert len(clips) == 4


def test_the_end_of_the_run_keeps_what_there_is(tmp_path: Path) -> None:
    run = Run(tmp_path / "e")
    run.go(30, alarm=False)
    run.go(5, alarm=True)
    assert run.end() == [list(range(10, 35))]


def test_a_lost_signal_and_another_resolution_end_a_clip(tmp_path: Path) -> None:
    run = Run(tmp_path / "e")
    run.go(30, alarm=False)
    run.go(5, alarm=True)
    run.events.add("no-signal", "unplugged")
    run.recorder.note(run.events.take()[0])
    run.go(40, alarm=False)
    run.go(5, alarm=True)
    run.go(5, alarm=True, size=(8, 8))
    run.go(60, alarm=False, size=(8, 8))
    first, second = run.end()
    assert first == list(range(10, 35))
    assert second == list(range(55, 80))


def test_what_cannot_be_kept_is_said_and_the_run_goes_on(tmp_path: Path) -> None:
    run = Run(tmp_path / "e")
    run.store._max_bytes = 10
    run.go(30, alarm=False)
    run.go(5, alarm=True)
    assert run.end() == []
    (event,) = run.events.latest(9)
    assert event.kind == "evidence-lost"
    assert "--evidence-disk" in event.text
