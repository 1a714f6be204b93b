"""Recorder: which seconds around an alarm are kept, and what becomes of them when something fails."""

import threading
import weakref
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from edge import recorder as recorder_module
from edge.events import EventLog
from edge.evidence import (
    EvidenceStore,
    evidence_clips,
)
from edge.prediction import Prediction
from edge.recorder import EvidenceRule, Recorder
from edge.sinks import Observation, Stages
from edge.source import Shot
from edge.supply import Taken
from tests.evidence_parts import BEGAN, RULE, SIZE, frame, indices_of
from tests.live_fakes import Camera
from tests.tiny_bundle import LABELS


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
            self.recorder.saw(Taken(shot, self.camera, shot.frame.timestamp_s))
            if self.number % every == 0:
                said = Prediction("green", 1, 0.5, np.zeros(3, np.float32))
                at = BEGAN + timedelta(seconds=self.number / 10)
                self.recorder.write(
                    Observation(
                        shot,
                        said,
                        Stages(0, 0, 0, 0),
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
