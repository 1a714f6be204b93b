import json
import shutil
import threading
from contextlib import contextmanager

import pytest

from capture import disk, plan
from capture.calibration.check import BenchMovedError
from capture.control import Halted
from capture.desk import Desk
from capture.events import Began, Coverage, DeviceBack, DeviceLost, Disk, Recorded, Reshot, Stopped
from capture.guard import Guard
from capture.journal import Journal, Reader
from capture.rules import Reconnect, Rules
from capture.session import record_session
from capture.unattended import record_unattended
from capture.watchdog import Limits
from capture.writer import Writer
from natadv.errors import ConnectError, DeviceError, ResourceError
from natadv.raindrops.pose import Pose
from rigs.archive import MANIFEST, SETTINGS, open_archive
from tests.recording import Blocking, begun, digests, opened

QUICK = Rules(reconnect=Reconnect(tries=3, first_s=0.01, longest_s=0.02))


def _events(archive, kind):
    return [event for event in Reader(archive.folder).events() if isinstance(event, kind)]


def _run(archive, open_rig, rules=QUICK, **more):
    return record_unattended(archive, open_rig, Desk(Journal(archive.folder)), rules, **more)


def test_it_goes_on_through_faults_of_every_kind_and_loses_nothing(tmp_path):
    rare = dict.fromkeys(("stall", "disconnect", "late", "wrong", "torn"), 0.006)
    often = dict.fromkeys(("stall", "disconnect", "late"), 0.04)
    archive, settings = begun(
        tmp_path,
        labels=3,
        each=4,
        seed=5,
        stall_s=0.01,
        camera=rare,
        screen=often | {"wrong": 0.1},
        stage=often | {"wrong": 0.04, "alarm": 0.04},
        sprayer=often | {"alarm": 0.04},
    )
    rules = QUICK.model_copy(update={"reconnect": Reconnect(tries=30, first_s=0.01, longest_s=0.01)})
    assert _run(archive, settings.open, rules) == "complete"
    happened = settings.faults.campaign.happened
    assert len(happened) > 5
    again = open_archive(archive.folder)
    assert not again.missing()
    assert len(again.complete_items()) + len(again.skipped()) == 12
    assert len(again.complete_items()) >= 11
    records = again.records()
    assert len({(record.item, record.kind) for record in records}) == len(records)
    for item in again.complete_items():
        assert again.clip(item, "wet", again.noted()[item.number, "wet"]).info.frame_count == 9
    lost, back = _events(archive, DeviceLost), _events(archive, DeviceBack)
    assert len(lost) >= 5
    assert {event.device for event in lost} >= {"stage", "sprayer"}
    assert 1 <= len(back) <= len(lost)
    assert sum(event.complete for event in _events(archive, Recorded)) == len(again.complete_items())
    assert _events(archive, Stopped)[0].outcome == "complete"
    assert _events(archive, Coverage)[0].disc > 0.1


def test_in_between_the_stage_stands_and_the_sprayer_is_shut(tmp_path):
    archive, settings = begun(tmp_path)
    left = [2]
    rigs = []

    @contextmanager
    def breaking():
        for rig in rigs:
            assert not rig.stage.is_moving()
            with pytest.raises(DeviceError, match="closed"):
                rig.sprayer.spray(1)
        if left[0]:
            left[0] -= 1
            with opened(settings, camera=lambda camera: Unplugged(camera, 6)) as rig:
                rigs.append(rig)
                yield rig
        else:
            with settings.open() as rig:
                yield rig

    class Unplugged(Blocking):
        def read(self):
            self.left -= 1
            if self.left == 0:
                raise OSError(19, "No such device")
            return self.inner.read()

    assert _run(archive, breaking) == "complete"
    assert len(rigs) == 2
    assert [event.tries for event in _events(archive, DeviceLost)] == [1, 2]
    assert all("camera: No such device" in event.reason for event in _events(archive, DeviceLost))
    whole = tmp_path / "whole"
    whole.mkdir()
    other, _ = begun(whole)
    _run(other, settings.open)
    assert digests(archive) == digests(other)


def test_a_rig_that_does_not_come_back_ends_the_session_after_some_tries(tmp_path):
    archive, _ = begun(tmp_path)

    @contextmanager
    def gone():
        raise ConnectError("stage: /dev/serial/by-id/x is not there; plug it in")
        yield

    with pytest.raises(ConnectError):
        _run(archive, gone)
    assert [(event.tries, event.wait_s) for event in _events(archive, DeviceLost)] == [
        (1, 0.01), (2, 0.02), (3, 0.02), (4, None),
    ]  # fmt: skip
    (stopped,) = _events(archive, Stopped)
    assert stopped.outcome == "failed"
    assert "plug it in" in stopped.reason
    assert {event.device for event in _events(archive, DeviceLost)} == {"stage"}


def test_a_device_that_hangs_is_closed_and_the_rig_opened_again(tmp_path):
    archive, settings = begun(tmp_path)
    cameras = []

    @contextmanager
    def hanging():
        def change(camera):
            cameras.append(Blocking(camera, 6))
            return cameras[-1]

        with opened(settings, **({} if cameras else {"camera": change})) as rig:
            yield rig
            assert not rig.stage.is_moving()

    rules = QUICK.model_copy(update={"limits": Limits(camera_s=2.0)})
    assert _run(archive, hanging, rules) == "complete"
    (lost,) = _events(archive, DeviceLost)
    assert lost.device == "camera"
    assert not archive.missing()


def test_a_device_that_hangs_for_good_is_told_and_the_stage_stands(tmp_path):
    archive, settings = begun(tmp_path)
    stuck = threading.Event()
    reasons = []

    def on_stuck(reason):
        reasons.append(reason)
        stuck.set()
        camera.free.set()  # so that the test can end

    rules = QUICK.model_copy(update={"limits": Limits(camera_s=1.0, grace_s=0.5)})
    with settings.open() as rig:
        camera = Blocking(rig.camera, 6, deaf=True)

    @contextmanager
    def hanging():
        with opened(settings, **({} if stuck.is_set() else {"camera": use})) as rig:
            yield rig

    def use(inner):
        camera.inner = inner
        return camera

    assert _run(archive, hanging, rules, on_stuck=on_stuck) == "complete"
    assert len(reasons) == 1
    assert reasons[0].startswith("camera: no answer for")


@pytest.mark.parametrize("how", ["open", "close"])
def test_a_rig_that_never_opens_or_closes_is_told_too(tmp_path, how):
    archive, settings = begun(tmp_path)
    reasons, free, times = [], threading.Event(), []

    def on_stuck(reason):
        reasons.append(reason)
        free.set()  # so that the test can end

    @contextmanager
    def hanging():
        times.append(how)
        if how == "open" and len(times) == 1:
            assert free.wait(60)
            raise ConnectError("camera: let go")
        with settings.open() as rig:
            yield rig
        if how == "close":
            assert free.wait(60)

    rules = QUICK.model_copy(update={"limits": Limits(open_s=0.3)})
    assert _run(archive, hanging, rules, on_stuck=on_stuck) == "complete"
    assert len(reasons) == 1
    assert reasons[0].startswith(f"rig: a device does not {how} for")


def test_the_bench_is_looked_at_again_while_devices_fail_and_its_verdict_is_final(tmp_path):
    archive, settings = begun(tmp_path)
    looks = []

    def look(rig):
        looks.append(rig.camera.read().shape)
        if len(looks) == 1:
            raise DeviceError("camera: not yet back")

    assert _run(archive, settings.open, look=look) == "complete"
    assert looks == [(72, 96, 3)] * 2  # whole frames, not what is stored of them
    assert len(_events(archive, DeviceLost)) == 1

    def moved(_rig):
        raise BenchMovedError("rig.yaml: the bench has moved")

    with pytest.raises(BenchMovedError):
        _run(archive, settings.open, look=moved)
    assert len(_events(archive, DeviceLost)) == 1
    last = _events(archive, Stopped)[-1]
    assert (last.outcome, last.reason) == ("failed", "rig.yaml: the bench has moved")


def test_an_emergency_stop_reaches_a_stage_while_the_bench_is_looked_at(tmp_path):
    archive, settings = begun(tmp_path)
    desk = Desk(Journal(archive.folder))

    def look(rig):
        rig.stage.follow([Pose(30, 0, 0)])
        assert rig.stage.is_moving()
        desk.control.emergency_stop("a test")
        rig.stage.follow([Pose(0, 0, 0)])

    assert record_unattended(archive, settings.open, desk, QUICK, look=look) == "emergency"
    assert not archive.records()


def test_an_emergency_stop_is_no_failure_to_recover_from(tmp_path):
    archive, settings = begun(tmp_path)
    desk = Desk(Journal(archive.folder))
    desk.journal.listen(lambda event: desk.control.emergency_stop("a test") if event.kind == "recorded" else None)
    assert record_unattended(archive, settings.open, desk, QUICK) == "emergency"
    assert not _events(archive, DeviceLost)
    assert _events(archive, Stopped)[0].outcome == "emergency"
    assert archive.missing()
    assert _run(archive, settings.open) == "complete"
    began = _events(archive, Began)
    assert began[1].done == len({r.item for r in archive.records()}) - (4 - began[1].done)


_USAGE = shutil.disk_usage("/")


def _free(monkeypatch, sizes):
    usage = _USAGE
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda _path: usage._replace(free=sizes()))


def test_it_stops_before_the_disk_is_full_and_goes_on_when_there_is_room(tmp_path, monkeypatch):
    archive, settings = begun(tmp_path)
    desk = Desk(Journal(archive.folder))

    left = [4, 2, 0]  # images that there is room for, look after look
    _free(monkeypatch, lambda: plan.SPARE_BYTES + left.pop(0) * 500_000)
    with pytest.raises(ResourceError, match="too little for the next image and a reserve"):
        record_unattended(archive, settings.open, desk, QUICK)
    assert archive.missing()
    assert len(archive.complete_items()) == 2
    assert _events(archive, Stopped)[0].outcome == "failed"
    _free(monkeypatch, lambda: 10**12)
    archive.recover()
    assert _run(archive, settings.open) == "complete"
    assert _events(archive, Disk)[-1].enough


def test_a_disk_that_fills_while_a_clip_is_written_loses_no_other(tmp_path, monkeypatch):
    from capture import writer

    archive, settings = begun(tmp_path)
    write, left = writer.write_clip, [3]

    def filling(folder, frames, fps):
        left[0] -= 1
        if left[0] < 0:
            raise ResourceError(f"{folder}: the disk is full; free some space and resume")
        return write(folder, frames, fps)

    monkeypatch.setattr(writer, "write_clip", filling)
    with pytest.raises(ResourceError, match="disk is full"):
        _run(archive, settings.open)
    assert len(archive.records()) == 3
    left[0] = 99
    archive.recover()
    assert _run(archive, settings.open) == "complete"
    assert len(archive.records()) == 8


def test_memory_is_bounded_and_what_does_not_fit_waits(tmp_path, monkeypatch):
    from capture import writer

    archive, settings = begun(tmp_path)
    write, seen = writer.write_clip, []

    def slow(folder, frames, fps):
        seen.append(running[0].waiting_bytes)
        return write(folder, frames, fps)

    running = []
    original = Writer.__enter__

    def entered(self):
        running.append(self)
        return original(self)

    monkeypatch.setattr(Writer, "__enter__", entered)
    monkeypatch.setattr(writer, "write_clip", slow)
    limit = 300_000
    desk = Desk(Journal(archive.folder), memory_bytes=limit)
    with settings.open() as rig:
        record_session(archive, rig, desk=desk)
    assert not archive.missing()
    assert max(seen) <= limit
    assert max(seen) > 0
    assert running[0].waiting_bytes == 0


def test_a_session_of_the_first_kind_is_read_and_gone_on_with(tmp_path):
    archive, settings = begun(tmp_path)
    path = archive.folder / SETTINGS
    old = json.loads(path.read_text())
    for name in ("checks", "motion"):
        del old[name]
    del old["rig"]["faults"]
    del old["rig"]["stage"]["corner_s"]
    path.write_text(json.dumps(old))
    first = open_archive(archive.folder)
    assert (first.settings.checks, first.settings.motion) == (None, "waypoints")
    lines = [
        {"item": 0, "kind": "dry", "clip": "clips/0000-dry", "frames": 3, "lost": 0, "pixels_sha256": "0" * 64},
        {"item": 0, "kind": "dry", "void": "gone"},
    ]
    (first.folder / MANIFEST).write_text("".join(json.dumps(line) + "\n" for line in lines))
    plan.check_plan(first, settings, plan.plan_of(tmp_path / "images"), set())
    assert _run(first, settings.open) == "complete"
    assert not _events(first, Reshot)
    assert len(first.records()) == 8
    # What it says anew are fields that older readers can do without only where there is something to say.
    assert "attempt" not in (first.folder / MANIFEST).read_text()


def test_a_guard_that_was_tripped_lets_nothing_through(tmp_path):
    archive, settings = begun(tmp_path)
    desk = Desk(Journal(archive.folder))
    guard = Guard(desk.control, desk.tap)
    guard.trip("camera: no answer")
    with settings.open() as rig, pytest.raises(DeviceError, match="no answer"):
        record_session(archive, rig, desk=desk, guard=guard)
    desk.control.emergency_stop()
    with settings.open() as rig, pytest.raises(Halted):
        record_session(archive, rig, desk=desk, guard=guard)
