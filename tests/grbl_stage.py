"""A GRBL stage on a stand-in, and where it truly is."""

import time
from contextlib import contextmanager

import pytest

from natadv.errors import DeviceError
from natadv.raindrops.pose import Pose
from rigs.clock import RealClock
from rigs.firmware.kinds import KINDS
from rigs.firmware.terminal import Terminal
from rigs.room import Room
from rigs.stage.grbl import GrblStageSettings
from tests.grbl_rig import TRAVEL_DEG, TRAVEL_MM, small_setup, stage_block

BOTH = pytest.mark.parametrize("kind", sorted(KINDS))
LIMIT_S = 20.0


class Asked:
    """A person who does what is asked, if there is anybody."""

    def __init__(self, there=True, does=lambda: None):
        self.questions = []
        self.there, self.does = there, does

    def tell(self, message):
        pass

    def ask(self, message):
        self.questions.append(message)
        if not self.there:
            raise DeviceError(f"{message}: nobody is there")
        self.does()

    def cancel(self):
        pass


def open_stage(kind, port, operator=None, **change):
    return GrblStageSettings(**stage_block(kind, port, **change)).open(Room(RealClock(), operator=operator or Asked()))


@contextmanager
def running(kind, link=None, change=None, **settings):
    with Terminal(small_setup(kind, **(change or {})), link) as terminal:
        stage = open_stage(kind, terminal.port, **settings)
        try:
            yield terminal, stage
        finally:
            stage.close()


def until(true, limit_s=LIMIT_S):
    end_s = time.monotonic() + limit_s
    while not true():
        assert time.monotonic() < end_s, "it never came true"
        time.sleep(0.005)


def failed(stage):
    """Whether the stage says that it has failed."""
    try:
        stage.is_moving()
    except DeviceError:
        return True
    return False


def true_pose(kind, place):
    """Return where a carriage is, as a pose: home is the middle of the small setup's travel."""
    turn = place[len(KINDS[kind].axes) - 1]
    return Pose(place[0] + TRAVEL_MM + 1, place[1] + TRAVEL_MM + 1, turn + TRAVEL_DEG + 1)


def off(pose, true):
    return max(abs(pose.x_mm - true.x_mm), abs(pose.y_mm - true.y_mm)), abs(pose.angle_deg - true.angle_deg)
