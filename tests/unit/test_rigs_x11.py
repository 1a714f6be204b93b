"""The x11 camera: how it counts, and what it does when its display goes away."""

import contextlib
import time
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest

from natadv.errors import ConnectError, DeviceError
from rigs.camera import x11
from rigs.camera.x11 import X11CameraSettings, X11Grabber
from rigs.clock import RealClock
from rigs.geometry import ScreenGeometry
from rigs.room import Room
from rigs.screen.window import WindowSettings
from tests.displays import kill_server, loopback_names

PERIOD_S = 0.033333  # what x11grab makes of 30 fps


def camera(**change):
    return X11CameraSettings(**({"kind": "x11", "width_px": 4, "height_px": 2} | change))


def window(**change):
    return WindowSettings(**({"kind": "window", "width_px": 1280, "height_px": 720, "picture_px": 384} | change))


class Line:
    """Stands for the helper's line; packets come as late, in periods, as they are told to."""

    def __init__(self, lateness):
        self.packets = [(number, late) for number, late in enumerate(lateness)]
        self.start_s = time.time()

    def __call__(self, module, *, name, display):
        return self

    def send(self, message):
        self.options = message[2]

    def receive(self, timeout_s):
        if self.packets and self.packets[0] == "opened":
            return self.packets.pop(0)
        if not hasattr(self, "begun"):
            self.begun = True
            return ("opened", 4, 2, "bgr0")
        if not self.packets:
            return None
        number, late = self.packets.pop(0)
        if late is None:  # lost on the way
            return self.receive(timeout_s)
        samples = bytes(range(32)) + bytes(8)  # lines are longer than 4 pixels of 4 bytes
        return number, self.start_s + (number + late) * PERIOD_S, 20, samples

    def close(self):
        pass


class Display:
    name = "display :1"

    def __init__(self, display):
        pass

    def check_alive(self):
        pass

    def close(self):
        pass


@pytest.fixture
def grabbed(monkeypatch):
    def run(lateness):
        monkeypatch.setattr(x11, "Helper", Line(lateness))
        monkeypatch.setattr(x11, "Desktop", Display)
        grabber = X11Grabber(camera(), RealClock())
        return [grabber.grab(0.1) for _ in lateness]

    return run


@pytest.mark.parametrize(
    ("lateness", "counted"),
    [
        ((0, 0, 0, 0), [0, 1, 2, 3]),
        ((0, 0.2, 0.1, 0), [0, 1, 2, 3]),
        ((0, 0.3, 0, 0), [0, None, 2, 3]),  # too late to be the frame of its number
        ((0, 2.0, 1.0, 0.1, 0), [0, None, None, 3, 4]),  # and those that catch up after it
        ((0.2, 0, 0.1), [0, 1, 2]),  # the first was late itself
        ((0, None, 0), [0, 2]),
    ],
)
def test_a_late_frame_is_lost_and_its_number_is_missing(lateness, counted, grabbed):
    frames = grabbed(lateness)
    assert [grab and grab.count for grab in frames if grab or None in counted] == counted
    taken = [(grab.count, grab.taken_s) for grab in frames if grab]
    for (before, before_s), (after, after_s) in pairwise(taken):
        assert after_s - before_s == pytest.approx((after - before) * PERIOD_S, abs=0.25 * PERIOD_S + 1e-3)


def test_a_hiccup_between_two_looks_at_clocks_moves_no_frame(grabbed, monkeypatch):
    calls = []

    def held_up():
        calls.append(time.sleep(0.02) if len(calls) % 2 else None)
        return time.time()

    ahead_s = time.monotonic() - time.time()
    monkeypatch.setattr(x11, "time", SimpleNamespace(time=held_up))
    line_s = time.time()
    frames = grabbed((0,) * 6)
    assert len(calls) > 6
    for grab in frames:
        assert grab.taken_s - ahead_s - line_s == pytest.approx(grab.count * PERIOD_S, abs=0.008)


def test_samples_are_read_line_by_line_and_turned_to_rgb(grabbed):
    (grab,) = grabbed((0,))
    assert grab.image.shape == (2, 4, 3)
    assert grab.image[0, :2].tolist() == [[2, 1, 0], [6, 5, 4]]
    assert grab.image[1, 0].tolist() == [22, 21, 20]


@pytest.mark.parametrize(
    ("grab", "shown", "corners"),
    [
        ({"left_px": 400, "top_px": 120}, {}, (47.5, 47.5)),
        ({}, {"left_px": 100}, (547.5, 167.5)),
        ({"display": ":1"}, {"display": ":1"}, (447.5, 167.5)),
        ({"display": ":1"}, {"display": ":2"}, None),
        ({}, {"display": ":2"}, None),
    ],
)
def test_the_picture_is_where_the_two_settings_say(grab, shown, corners):
    found = camera(**grab).geometry(window(**shown), None)
    if corners is None:
        assert found is None
    else:
        assert isinstance(found, ScreenGeometry)
        assert found.corners_px[0] == corners
        assert np.subtract(found.corners_px[2], found.corners_px[0]).tolist() == [384, 384]


def test_a_display_that_goes_away_is_an_error_not_its_last_frame_for_ever():
    settings = {"width_px": 64, "height_px": 64, "timeout_s": 10.0}
    with loopback_names() as names:
        with contextlib.closing(camera(display=names["DISPLAY"], **settings).open(Room(RealClock()), None)) as grabs:
            grabs.read()
            kill_server(names)
            with pytest.raises(DeviceError, match="gone"):
                for _ in range(100):
                    grabs.read()
        with pytest.raises(ConnectError, match="cannot be opened"):
            camera(display=names["DISPLAY"], **settings).open(Room(RealClock()), None)


def test_a_part_beyond_the_display_is_refused():
    with (
        loopback_names() as names,
        pytest.raises(ConnectError, match=r"cannot grab 64x64 at \(1250, 0\).*within"),
    ):
        camera(display=names["DISPLAY"], width_px=64, height_px=64, left_px=1250).open(Room(RealClock()), None)
