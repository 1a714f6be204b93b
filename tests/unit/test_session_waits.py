"""No wait of a session for a device is without an end: stops and shuts are under the watchdog too."""

import threading
from contextlib import contextmanager
from dataclasses import replace

import pytest

from capture.desk import Desk
from capture.events import DeviceLost
from capture.journal import Journal, Reader
from capture.recorder import FramesMissingError, record_seconds
from capture.rules import Reconnect, Rules
from capture.unattended import record_unattended
from capture.watchdog import Limits
from rigs.camera.base import CameraInfo
from tests.recording import Wrapped, begun, opened

LIMIT_S = 60.0


class Hanging(Wrapped):
    """A device one of whose calls hangs at its n-th time, until it is closed; if `deaf`, until `free` is set."""

    def __init__(self, inner, call, after, *, deaf=False):
        super().__init__(inner)
        self.call, self.left, self.deaf, self.free = call, after, deaf, threading.Event()

    def __getattr__(self, name):
        value = getattr(self.inner, name)
        return (lambda *given: self._hang(value, *given)) if name == self.call else value

    def _hang(self, value, *given):
        self.left -= 1
        if self.left == 0:
            assert self.free.wait(LIMIT_S)
        return value(*given)

    def close(self):
        if self.call == "close":
            self._hang(self.inner.close)
        elif not self.deaf:
            self.free.set()
            self.inner.close()


def _recorded(folder, device, call, after, *, deaf=False):
    """Record a session whose first rig has a device that hangs; return it, what was lost, and what was stuck."""
    archive, settings = begun(folder)
    stuck, made = [], []

    def on_stuck(reason):
        stuck.append(reason)
        made[0].free.set()

    def change(inner):
        made.append(Hanging(inner, call, after, deaf=deaf))
        return made[-1]

    @contextmanager
    def hanging():
        with opened(settings, **({} if made else {device: change})) as rig:
            yield rig

    limits = Limits(**{f"{device}_s": 1.0}, grace_s=0.5)
    rules = Rules(reconnect=Reconnect(tries=3, first_s=0.01), limits=limits)
    done = []

    def record():
        done.append(record_unattended(archive, hanging, Desk(Journal(archive.folder)), rules, on_stuck=on_stuck))

    recording = threading.Thread(target=record, daemon=True)
    recording.start()
    recording.join(LIMIT_S / 2)
    assert done == ["complete"]
    assert not archive.missing()
    lost = [event for event in Reader(archive.folder).events() if isinstance(event, DeviceLost)]
    return lost, stuck


def test_a_stop_that_hangs_is_ended_by_closing_the_stage(tmp_path):
    lost, stuck = _recorded(tmp_path, "stage", "stop", 2)
    assert [event.device for event in lost] == ["stage"]
    assert lost[0].reason.startswith("stage: no answer for")
    assert not stuck


@pytest.mark.parametrize(("device", "call", "after"), [("stage", "stop", 2), ("sprayer", "close", 1)])
def test_a_stop_that_hangs_for_good_is_told(tmp_path, device, call, after):
    _, stuck = _recorded(tmp_path, device, call, after, deaf=True)
    (reason,) = stuck
    assert reason.startswith(f"{device}: no answer for")


class Slow(Wrapped):
    """A camera whose clock hardly moves."""

    info = CameraInfo(4, 4, 30.0)

    def __init__(self, inner):
        super().__init__(inner)
        self.read_so_far = 0

    def read(self):
        self.read_so_far += 1
        assert self.read_so_far < 1000, "it would be filmed for ever"
        return replace(self.inner, index=self.read_so_far, timestamp_s=1e-6 * self.read_so_far)


def test_a_camera_whose_clock_hardly_moves_is_not_filmed_for_ever(tmp_path):
    _, settings = begun(tmp_path)
    with settings.open() as rig:
        frame = rig.camera.read()
    with pytest.raises(FramesMissingError, match="32 frames in 1 s where 30 fps make 30"):
        record_seconds(Slow(frame), 1.0)
