"""The latency that flashes tell, beside a truth that is known."""

from types import SimpleNamespace

import numpy as np
import pytest
import yaml

from benchmarks.calibration_truth import Watched, latencies
from capture.calibration.sight import Sight
from capture.calibration.timing import FLASHES, find_timing
from capture.calibration.view import View
from rigs.camera.base import CameraInfo
from rigs.clock import VirtualClock
from rigs.frame import Frame
from rigs.rig import load_rig
from tests.displays import loopback_rig, virtual_display

FPS = 30.0


def _sight(height, width, lit):
    black, white = np.zeros((height, width, 3), np.float32), np.full((height, width, 3), 255, np.float32)
    return Sight(black, white, lit)


class Bench:
    """A screen that changes at `latency_s` after the call, and a camera that keeps frames for so long and no longer."""

    info = CameraInfo(8, 8, FPS)

    def __init__(self, clock, latency_s, kept_s, lost):
        self.clock, self.latency_s, self.kept_s, self.lost = clock, latency_s, kept_s, lost
        self.change_s, self.old, self.new, self.last = 0.0, 0, 0, -1
        self.flipped_s = None

    def show(self, image):
        self.old, self.new = self.new, int(image[0, 0, 0])
        self.change_s = self.clock.now_s() + self.latency_s
        self.flipped_s = self.clock.now_s() + 0.001
        self.clock.sleep(0.002)

    def read(self):
        oldest = int(np.ceil((self.clock.now_s() - self.kept_s) * FPS))
        self.last = max(self.last + 1, oldest)
        while self.lost[self.last]:
            self.last += 1
        at_s = self.last / FPS
        self.clock.sleep(at_s - self.clock.now_s())
        level = self.new if at_s >= self.change_s else self.old
        return Frame(np.full((8, 8, 3), level, np.uint8), self.last, at_s)


@pytest.mark.parametrize("kept_s", [0.4, 0.005], ids=["keeps its frames", "forgets them"])
@pytest.mark.parametrize("lost", [0.0, 0.2], ids=["all", "some are lost"])
@pytest.mark.parametrize("latency_s", [0.004, 0.02, 0.09])
def test_flashes_tell_the_latency_without_a_bias(latency_s, lost, kept_s):
    clock = VirtualClock()
    bench = Bench(clock, latency_s, kept_s, np.random.default_rng(2).random(1000) < lost)
    view = View(SimpleNamespace(clock=clock, camera=bench, screen=bench, settle_s=0.2), SimpleNamespace())
    found = find_timing(view, _sight(8, 8, np.ones((8, 8), bool)), np.random.default_rng(0))
    assert found.latency_s == pytest.approx(latency_s, abs=(0.1 + lost) / FPS)
    (flip,) = (one for one in found.measures if one.name.startswith("call to flip"))
    assert flip.value == pytest.approx(1.0)


def test_on_a_grabbed_display_the_latency_is_that_of_its_own_memory(tmp_path):
    with virtual_display() as display:
        path = loopback_rig(tmp_path, display, glass=False)
        text = yaml.safe_load(path.read_text())
        text["camera"]["fps"] = FPS
        path.write_text(yaml.safe_dump(text))
        settings = load_rig(path)
        with settings.open() as rig, Watched(settings.screen.on_display()) as watched:
            view = View(rig, settings.screen)
            left, top, right, bottom = settings.geometry().region(view.frame_size)
            lit = np.zeros(view.frame_size, bool)
            lit[top:bottom, left:right] = True
            found = find_timing(view, _sight(*view.frame_size, lit), np.random.default_rng(1))
    told = latencies(found.latency_s, found.flashes, watched.changes, FPS)
    assert told["flashes"] == FLASHES
    assert abs(told["latency_off_frames"]) <= 1
