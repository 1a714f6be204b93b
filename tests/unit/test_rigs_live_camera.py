"""LiveCamera over a grabber that gives what a test tells it to, as awkwardly as a device."""

import itertools
import queue
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from natadv.errors import DeviceError, FrameTimeoutError, SettingError
from rigs.camera.base import CameraInfo
from rigs.camera.live import HOLD_S, Grab, LiveCamera
from rigs.clock import RealClock


class HandClock:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.time_s = 50.0

    def now_s(self) -> float:
        return self.time_s

    def sleep(self, duration_s: float) -> None:
        self.time_s += duration_s


class Device:
    """Gives what is put; a grab, or an error."""

    info = CameraInfo(8, 6, 30.0)

    def __init__(self) -> None:
        self.queue: queue.Queue[Grab | Exception] = queue.Queue()
        self.closed = self.in_hand = 0

    def grab(self, timeout_s: float) -> Grab | None:
        if self.in_hand:  # the last is dealt with when the next is asked for
            self.in_hand = 0
            self.queue.task_done()
        try:
            item = self.queue.get(timeout=0.02)
        except queue.Empty:
            return None
        if isinstance(item, Exception):
            raise item
        self.in_hand = 1
        return item

    def close(self) -> None:
        self.closed += 1

    def put(self, *grabs: Grab) -> None:
        """Give these, and return when the camera has them all."""
        for grab in grabs:
            self.queue.put(grab)
        self.queue.join()


IMAGE = np.zeros((6, 8, 3), np.uint8)


def grab(number: int, now: HandClock, **more: object) -> Grab:
    return Grab(IMAGE + np.uint8(number % 256), now.now_s(), **more)  # type: ignore[arg-type]


@contextmanager
def opened(**options: object) -> Iterator[tuple[LiveCamera, Device, HandClock]]:
    device, clock = Device(), HandClock()
    given = {"name": "camera", "timeout_s": 0.3, "warm_up_s": 0.0, **options}
    camera = LiveCamera(device, clock, **given)  # type: ignore[arg-type]
    try:
        yield camera, device, clock
    finally:
        camera.close()
    assert device.closed == 1


def feed(device: Device, clock: HandClock, numbers: range, *, counted: bool = True) -> None:
    for number in numbers:
        clock.sleep(1 / 30)
        device.put(grab(number, clock, count=number if counted else None))


def test_a_caller_who_is_late_by_a_moment_gets_every_frame() -> None:
    with opened() as (camera, device, clock):
        feed(device, clock, range(1))
        assert camera.read().index == 0
        feed(device, clock, range(1, 4))  # 0.1 s
        assert [camera.read().index for _ in range(3)] == [1, 2, 3]
        assert camera.late == 0


def test_a_caller_who_was_away_gets_the_newest_alone_and_the_gap_shows() -> None:
    with opened() as (camera, device, clock):
        feed(device, clock, range(1))
        camera.read()
        feed(device, clock, range(1, 31))
        frame = camera.read()
        assert (frame.index, frame.image[0, 0, 0], camera.late) == (30, 30, 29)
        assert clock.now_s() - frame.timestamp_s <= 1 / 30


@pytest.mark.parametrize("clock_of", ["device", "rig"])
def test_frames_of_a_stream_that_stalled_are_not_taken_for_new_ones(clock_of: str) -> None:
    """A picture was shown at 51.65 s, and the stream stalled from 51.0 s to 52.15 s, when all that it kept arrives."""
    offset_s = 7000.0 if clock_of == "device" else 0.0
    with opened(exposure_s=0.01, timeout_s=20.0) as (camera, device, clock):

        def put(numbers: range, *, arrived_s: float | None = None) -> None:
            for number in numbers:
                clock.time_s = arrived_s or 50 + number / 30 + 0.006
                mid = 0.0 if clock_of == "device" else 0.005
                device.put(grab(number, clock, taken_s=offset_s + 50 + number / 30 - mid, clock=clock_of, count=number))

        put(range(1))
        camera.read()
        put(range(1, 31))
        clock.time_s = 52.15
        put(range(31, 45), arrived_s=52.15)  # what had queued up before the call
        found: list[int] = []
        called = threading.Event()

        def read() -> None:
            called.set()
            for _ in range(5):
                found.append(camera.read().index)  # the test looks at it meanwhile

        reading = threading.Thread(target=read)
        reading.start()
        assert called.wait(20)
        end_s = time.monotonic() + 20
        while camera.late < 44 and time.monotonic() < end_s:  # in its call it gives up what was there
            time.sleep(0.001)
        put(range(45, 64), arrived_s=52.15)  # and what comes of the queue after it
        assert not found
        for number in range(64, 69):
            put(range(number, number + 1))
            end_s = time.monotonic() + 20
            while len(found) < number - 63 and time.monotonic() < end_s:
                time.sleep(0.001)
        reading.join(20)
        # The last whole frame before the call ended at 52.14 s.
        assert found == list(range(64, 69))


def test_frames_without_a_counter_are_counted_as_they_come() -> None:
    with opened() as (camera, device, clock):
        feed(device, clock, range(1), counted=False)
        camera.read()
        feed(device, clock, range(1, 31), counted=False)
        assert camera.read().index == 30


def test_an_old_frame_is_not_given_when_the_camera_has_stalled_since() -> None:
    with opened() as (camera, device, clock):
        feed(device, clock, range(2))
        clock.sleep(5)
        with pytest.raises(FrameTimeoutError, match=r"camera: no frame in 0.3 s"):
            camera.read()
        feed(device, clock, range(2, 3))
        assert camera.read().index == 2  # it goes on when frames come again


def test_a_caller_that_does_not_keep_up_is_not_late_for_ever() -> None:
    with opened() as (camera, device, clock):
        feed(device, clock, range(1))
        camera.read()
        ages = []
        for number in range(1, 200, 2):  # two frames come for each that is read
            feed(device, clock, range(number, number + 2))
            frame = camera.read()
            ages.append(number + 1 - frame.index)
        assert max(ages) <= HOLD_S * 30 + 1
        assert camera.late > 90


def test_a_gap_in_the_counter_is_a_gap_in_the_index() -> None:
    with opened() as (camera, device, clock):
        for count in (900, 901, 904):
            clock.sleep(1 / 30)
            device.put(grab(0, clock, count=count))
        assert [camera.read().index for _ in range(1)] == [4]  # the first read is one after a pause
        clock.sleep(1 / 30)
        device.put(grab(0, clock, count=907))
        assert camera.read().index == 7


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        ({"count": 5}, {"count": 5}, r"its frame counter counts 5 after 5; was it reset\?"),
        ({"count": 5}, {"count": 2}, r"its frame counter counts 2 after 5; was it reset\?"),
        ({"taken_s": 7.0}, {"taken_s": 6.9}, r"frame 1 is stamped 6.9000 s, not after frame 0 at 7.0000 s"),
        ({"taken_s": 7.0, "clock": "rig"}, {"taken_s": 7.0, "clock": "rig"}, r"not after frame 0 at 7.0000 s"),
    ],
)
def test_counters_and_clocks_that_go_back_are_errors(first: dict, second: dict, said: str) -> None:
    with opened() as (camera, device, clock):
        device.put(grab(0, clock, **first))
        clock.sleep(1 / 30)
        device.queue.put(grab(1, clock, **second))
        with pytest.raises(DeviceError, match=said):
            for _ in range(3):
                camera.read()


def test_a_device_that_is_unplugged_gives_what_came_and_then_its_error() -> None:
    with opened() as (camera, device, clock):
        feed(device, clock, range(1))
        device.queue.put(DeviceError("camera: was unplugged"))
        assert camera.read().index == 0
        for _ in range(2):
            with pytest.raises(DeviceError, match="unplugged"):
                camera.read()


def test_frames_of_another_size_are_refused() -> None:
    with opened() as (camera, device, clock):
        device.queue.put(Grab(np.zeros((6, 9, 3), np.uint8), clock.now_s()))
        with pytest.raises(SettingError, match="8 × 6 pixels asked, frames have 9 × 6"):
            camera.read()


def test_times_by_the_devices_clock_are_smooth_where_arrivals_are_not() -> None:
    generator = np.random.default_rng(1)
    with opened(exposure_s=0.004, hold_s=1.0) as (camera, device, clock):
        stamps = []
        for number in range(60):
            clock.time_s = 50 + number / 30 + float(generator.exponential(0.01))
            device.put(grab(number, clock, count=number, taken_s=7000 + number / 30))
            frame = camera.read()
            stamps.append(frame.timestamp_s)
            assert frame.timestamp_s <= clock.now_s() - 0.002 + 1e-9
        assert np.diff(stamps[10:]) == pytest.approx(1 / 30, abs=0.1 / 30 + 1e-9)
        assert stamps[-1] == pytest.approx(50 + 59 / 30 - 0.002, abs=1e-3)


def test_times_by_the_rigs_clock_are_taken_as_they_are() -> None:
    with opened(exposure_s=0.01) as (camera, device, clock):
        device.put(grab(0, clock, taken_s=49.99, clock="rig"))
        assert camera.read().timestamp_s == 49.99


def test_a_closed_camera_frees_whoever_waits() -> None:
    with opened(timeout_s=20.0) as (camera, _device, _clock):
        found: list[BaseException] = []

        def wait() -> None:
            try:
                camera.read()
            except DeviceError as error:
                found.append(error)

        waiting = threading.Thread(target=wait)
        waiting.start()
        camera.close()
        waiting.join(20)
        assert "closed" in str(found[0])


class Ticking:
    """A device that gives a frame of 30 a second, truly; `slow` of them at another rate."""

    info = CameraInfo(8, 6, 30.0)

    def __init__(self, fps: float) -> None:
        self.begin_s, self.fps, self.numbers, self.closed = time.monotonic(), fps, itertools.count(1), 0

    def grab(self, timeout_s: float) -> Grab | None:
        if not self.fps:
            time.sleep(0.02)
            return None
        due_s = self.begin_s + next(self.numbers) / self.fps
        time.sleep(max(0.0, due_s - time.monotonic()))
        return Grab(IMAGE, time.monotonic(), taken_s=due_s)

    def close(self) -> None:
        self.closed += 1


@pytest.mark.parametrize(
    ("fps", "timeout_s", "error", "said"),
    [
        (15.0, 1.0, SettingError, r"camera: 30 fps asked, frames come at 1\d\.\d"),
        (2.0, 5.0, SettingError, r"camera: 30 fps asked, frames come at [12]\.\d"),
        (0.0, 0.1, FrameTimeoutError, "camera: no steady frames"),
    ],
)
def test_a_camera_that_does_not_deliver_what_it_says_is_let_go(
    fps: float, timeout_s: float, error: type[Exception], said: str
) -> None:
    device = Ticking(fps)
    with pytest.raises(error, match=said):
        LiveCamera(device, RealClock(), name="camera", timeout_s=timeout_s, warm_up_s=0.4)
    assert device.closed == 1


def test_a_camera_that_keeps_its_rate_is_opened() -> None:
    device = Ticking(30.0)
    camera = LiveCamera(device, RealClock(), name="camera", timeout_s=1.0, warm_up_s=0.4)
    assert camera.read().index > 0
    camera.close()
