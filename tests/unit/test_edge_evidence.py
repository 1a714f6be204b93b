"""Evidence: the seconds around an alarm, whole on disk, within a budget, and training pictures once labelled."""

import csv
import threading
import weakref
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from capture.scan import scan_session
from edge import evidence as evidence_module
from edge import recorder as recorder_module
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
from tests.live_fakes import Camera
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


SHAPE = (*SIZE, 3)


def indices(frames: Sequence[Frame]) -> list[int]:
    return [one.index for one in frames]


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
        self.model = "0" * 64
        self.recorder = Recorder(self.store, self.events, rule, source="0")
        self.number = 0

    def go(
        self,
        count: int,
        *,
        alarm: bool,
        size: tuple[int, int] = SIZE,
        every: int = 1,
        signs: tuple[str, ...] = ("flicker",),
        wait: bool = True,
    ) -> None:
        for _ in range(count):
            shot = Shot(frame(self.number, size=size))
            self.recorder.saw(Taken(shot, self.camera))
            if self.number % every == 0:
                said = Prediction("green", 1, 0.5, np.zeros(3, np.float32))
                at = BEGAN + timedelta(seconds=self.number / 10)
                self.recorder.write(
                    Observation(
                        shot,
                        said,
                        Stages(0, 0, 0),
                        0.0,
                        10.0,
                        signs=signs if alarm else (),
                        alarm=alarm,
                        at=at,
                        model_sha256=self.model,
                        labels=LABELS,
                    )
                )
            self.number += 1
            if wait:
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


def test_an_unexpected_error_loses_one_clip_and_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(tmp_path / "e")
    with monkeypatch.context() as broken:
        broken.setattr(run.store, "write", lambda *_, **__: 1 / 0)
        run.go(30, alarm=False)
        run.go(5, alarm=True)
        run.go(60, alarm=False)
    run.go(5, alarm=True)
    run.go(60, alarm=False)
    assert len(run.end()) == 1
    lost, kept = run.events.latest(9)
    assert (lost.kind, kept.kind) == ("evidence-lost", "evidence")
    assert "ZeroDivisionError" in lost.text


def test_a_disk_that_hangs_does_not_hold_up_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder_module, "_WRITING_S", 0.05)
    run, go_on = Run(tmp_path / "e"), threading.Event()
    monkeypatch.setattr(run.store, "write", lambda *_, **__: go_on.wait(60))
    for _ in range(4):
        run.go(30, alarm=False, wait=False)
        run.go(5, alarm=True, wait=False)
    closing = threading.Thread(target=run.recorder.close, daemon=True)
    closing.start()
    closing.join(20)
    ended = not closing.is_alive()
    run.recorder.close()  # a second time: at once, and nothing is said
    said = [event.text for event in run.events.latest(9)]
    go_on.set()
    run.recorder._writer.join(20)
    run.store.close()
    assert ended
    assert ["not yet written" in text for text in said] == [False] * (len(said) - 1) + [True]


def test_a_clips_frames_are_let_go_when_it_is_written(tmp_path: Path) -> None:
    run = Run(tmp_path / "e")
    run.go(30, alarm=False)
    watched = [weakref.ref(one.image) for one in run.recorder._ring.frames]
    run.go(5, alarm=True)
    run.go(80, alarm=False)
    assert run.recorder.kept == 1
    assert [ref() for ref in watched if ref() is not None] == []
    run.end()


def test_all_that_waits_to_be_written_is_within_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    most = 40
    rule = EvidenceRule(before_s=2, after_s=2, longest_s=8, rest_s=3, memory_bytes=most * frame(0).image.nbytes)
    run, go_on = Run(tmp_path / "e", rule), threading.Event()
    monkeypatch.setattr(run.store, "write", lambda *_, **__: go_on.wait(60))
    saw, found = run.recorder.saw, []
    seen: list[weakref.ref[np.ndarray]] = []

    def watched(taken: Taken) -> None:
        seen.append(weakref.ref(taken.shot.frame.image))
        saw(taken)
        found.append(sum(one() is not None for one in seen))

    monkeypatch.setattr(run.recorder, "saw", watched)
    for _ in range(4):
        run.go(30, alarm=False, wait=False)
        run.go(50, alarm=True, wait=False)
    go_on.set()
    assert max(found) <= most + 2  # the newest stays, and one is just coming
    run.end()


def test_a_clip_holds_the_answers_of_one_model_and_names_it(tmp_path: Path) -> None:
    run = Run(tmp_path / "e")
    run.go(50, alarm=False)
    run.go(3, alarm=True)
    run.model = "1" * 64  # a swap while an alarm is on: the clip ends with the old model's last answer
    run.go(20, alarm=True, signs=())  # which goes on for a while, though the new model gave no sign
    run.go(40, alarm=False)
    run.model = "2" * 64
    run.go(5, alarm=True)
    run.end()
    first, second = evidence_clips(tmp_path / "e")
    assert first.info.model_sha256 == "0" * 64
    assert indices_of(first) == list(range(30, 53))
    assert second.info.model_sha256 == "2" * 64
    assert indices_of(second) == list(range(113, 118))


def test_an_alarm_that_a_swap_left_on_begins_no_clip(tmp_path: Path) -> None:
    run = Run(tmp_path / "e")
    run.go(30, alarm=True, signs=())
    assert run.end() == []


def indices_of(clip: EvidenceClip) -> list[int]:
    return [one.index for one in clip.answers()]
