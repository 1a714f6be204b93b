"""A stage without switches: where home is when it is opened again."""

import time
from contextlib import contextmanager

import pytest

from natadv.errors import DeviceError
from natadv.raindrops.pose import Pose
from rigs.clock import RealClock
from rigs.firmware.terminal import Terminal
from rigs.room import Room
from rigs.stage.grbl import GrblStageSettings
from rigs.stage.grbl_home import Left
from tests.grbl_rig import small_setup, stage_block
from tests.grbl_stage import BOTH, Asked, until


@contextmanager
def without_switches(kind):
    """A controller, and a way to open its stage again and again, as a session does."""
    with Terminal(small_setup(kind, s20=0, s22=0)) as terminal:
        settings = GrblStageSettings(**stage_block(kind, terminal.port, homing="skip"))
        yield terminal, lambda person: settings.open(Room(RealClock(), operator=person))


def _x_mm(terminal):
    return terminal.position_at(time.monotonic())[0]


def _push(terminal, x_mm):
    """Move the plate by hand: its counters do not know."""
    with terminal._lock:
        machine, now_s = terminal._machine, time.monotonic()
        true = machine.true_position(now_s)
        machine._moved_to((true[0] + x_mm, *true[1:]), machine._motion.position, now_s)


def _left_at(stage, pose):
    stage.follow([pose])
    until(lambda: not stage.is_moving())
    stage.close()


@BOTH
def test_home_is_where_the_person_has_put_the_plate(kind):
    with without_switches(kind) as (terminal, open_it):
        before = _x_mm(terminal)
        person = Asked(does=lambda: _push(terminal, -7))
        stage = open_it(person)
        assert _x_mm(terminal) == pytest.approx(before - 7)
        assert person.questions == [
            f"stage: {terminal.port}: put the plate at home, by its mark; it counts as home where it stands then"
        ]
        stage.close()


def test_reopened_again_and_again_it_comes_back_to_the_same_home():
    with without_switches("grblhal") as (terminal, open_it):
        home_mm = _x_mm(terminal)
        _left_at(open_it(Asked()), Pose(20, 0, 10))
        for _ in range(3):
            stage = open_it(Asked(there=False))
            assert _x_mm(terminal) == pytest.approx(home_mm, abs=0.02)
            _left_at(stage, Pose(20, 0, 10))
            assert _x_mm(terminal) == pytest.approx(home_mm + 20, abs=0.02)


def test_one_that_was_stopped_on_its_way_or_lost_its_port_counts_on(tmp_path):
    with Terminal(small_setup("grblhal", s20=0, s22=0), tmp_path / "grbl") as terminal:
        settings = GrblStageSettings(**stage_block("grblhal", terminal.port, homing="skip"))
        stage = settings.open(Room(RealClock(), operator=Asked()))
        home_mm = _x_mm(terminal)
        stage.follow([Pose(20, 0, 10)])
        until(lambda: terminal.moving)
        terminal.unplug()
        stage.close()
        until(lambda: not terminal.moving)
        terminal.plug()
        stage = settings.open(Room(RealClock(), operator=Asked(there=False)))
        assert _x_mm(terminal) == pytest.approx(home_mm, abs=0.02)
        stage.close()


@pytest.mark.parametrize("how", ["restarted", "alarm", "pushed on after a restart", "an Arduino's port"])
def test_one_that_lost_count_is_not_moved_until_a_person_has_put_it_home(how):
    kind = "grbl" if how == "an Arduino's port" else "grblhal"  # which restarts when it is opened
    with without_switches(kind) as (terminal, open_it):
        _left_at(open_it(Asked()), Pose(20, 5, 10))
        if how.endswith("restart") or how == "restarted":
            terminal.power_up()
        if how.startswith("pushed"):  # by another program
            with terminal._lock:
                motion = terminal._machine._motion
                motion.place((-12.0, *motion.position[1:]))
        if how == "alarm":  # as after a reset while it moved
            with terminal._lock:
                terminal._machine.state = "Alarm"
        time.sleep(0.1)  # a stand-in notices only then that its port was closed
        before = terminal.position_at(time.monotonic())
        for _ in range(2):
            with pytest.raises(DeviceError, match=r"^stage: .*put the plate at home, by its mark.*nobody"):
                open_it(Asked(there=False))
            assert terminal.position_at(time.monotonic()) == before
        stage = open_it(Asked(does=lambda: _push(terminal, -20)))
        assert _x_mm(terminal) == pytest.approx(before[0] - 20)
        stage.close()


def test_a_plate_that_somebody_may_have_moved_when_asked_is_asked_for_again():
    with without_switches("grblhal") as (terminal, open_it):
        _left_at(open_it(Asked()), Pose(20, 5, 10))
        there = terminal._machine._motion.position
        terminal.power_up()
        with pytest.raises(DeviceError, match="nobody"):
            open_it(Asked(there=False))
        with terminal._lock:
            terminal._machine._motion.place(there)
        with pytest.raises(DeviceError, match="nobody"):
            open_it(Asked(there=False))


@pytest.mark.parametrize(
    ("here", "counts"),
    [
        ((10, 0, 5), True),
        ((15, 0, 7.5), True),
        ((20, 0.3, 10), True),
        ((21, 0, 10), False),
        ((9, 0, 5), False),
        ((15, 0, 5), False),
        ((0, 0, 0), False),
    ],
)
def test_it_was_left_somewhere_on_its_last_way(here, counts):
    assert Left((0, 0, 0), (10, 0, 5), (20, 0, 10)).counts_on(here) is counts
    assert not Left((0, 0, 0), (-1, 0, 0), (1, 0, 0)).counts_on((0, 0, 0))
