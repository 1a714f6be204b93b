"""What a GRBL stage does when it fails just as somebody closes it, and what it says of itself then."""

import threading
import time
from contextlib import contextmanager

import pytest

from natadv.errors import DeviceError
from natadv.raindrops.pose import Pose
from rigs.clock import RealClock
from rigs.firmware.terminal import Terminal
from rigs.room import Room
from rigs.sprayer.grbl import GrblSprayerSettings
from rigs.stage.base import Certain
from rigs.stage.grbl import GrblStageSettings
from tests.grbl_rig import small_setup, stage_block
from tests.grbl_stage import BOTH, failed, open_stage, running, until

FAR = Pose(24, 0, 0)


@BOTH
@pytest.mark.parametrize("close_first", [True, False])
def test_a_cable_that_comes_back_stops_what_goes_on_behind_it(kind, close_first, tmp_path):
    slow = {"s120": 100.0, "s121": 100.0}  # the move takes a second
    with running(kind, tmp_path / "grbl", change=slow, acceleration_mm_per_s2=100.0) as (terminal, stage):
        stage.follow([FAR])
        until(lambda: terminal.moving)
        terminal.unplug()
        if not close_first:
            until(lambda: failed(stage))
        plugged = threading.Timer(0.2, terminal.plug)
        plugged.start()
        stage.close()
        plugged.join()
        assert not terminal.moving
        assert terminal.position_at(time.monotonic())[0] < -4  # the move would have ended at -2
        assert stage.is_at_rest()


def test_a_loss_that_a_write_notices_is_looked_after_too(tmp_path, monkeypatch):
    with running("grblhal", tmp_path / "grbl") as (terminal, stage):
        stage.follow([FAR])
        until(lambda: terminal.moving)
        monkeypatch.setattr(stage._link._serial, "write", _broken)
        with pytest.raises(DeviceError, match=r"^stage: .*is gone"):
            stage._link.now(b"?")
        terminal.unplug()
        terminal.plug()
        stage.stop()
        assert not terminal.moving
        assert stage.is_at_rest()


def _broken(_):
    raise OSError("broken")


def test_without_its_cable_a_stage_is_not_said_to_stand(tmp_path):
    with running("grblhal", tmp_path / "grbl") as (terminal, stage):
        assert isinstance(stage, Certain)
        assert stage.is_at_rest()
        stage.follow([FAR])
        assert not stage.is_at_rest()
        until(lambda: terminal.moving)
        terminal.unplug()
        stage.stop()
        assert not stage.is_at_rest()
        stage.close()
        assert not stage.is_at_rest()


@BOTH
@pytest.mark.parametrize("how", ["stop", "alarm", "restart", "close"])
def test_a_stage_that_was_heard_to_stop_is_said_to_stand(kind, how):
    with running(kind) as (terminal, stage):
        stage.follow([FAR])
        until(lambda: terminal.moving)
        if how == "alarm":
            terminal.strike()
            until(lambda: failed(stage))
        if how == "restart":
            terminal.power_up()
            until(lambda: failed(stage))
        stage.close() if how == "close" else stage.stop()
        assert stage.is_at_rest()
        assert not terminal.moving


@BOTH
def test_a_halt_that_is_under_way_is_done_before_the_port_is_let_go(kind):
    with running(kind) as (terminal, stage):
        stage.follow([FAR])
        until(lambda: terminal.moving)
        failing = threading.Thread(target=stage._link.fail, args=(DeviceError("stage: a late ok"),))
        failing.start()
        until(lambda: failed(stage))
        stage.close()
        failing.join()
        assert terminal.state in ("Idle", "Alarm")  # in Hold, anybody's ~ would let it go on
        assert stage.is_at_rest()


@contextmanager
def noted(terminal):
    """Give which outputs were on meanwhile, again and again."""
    watching, seen = threading.Event(), []

    def watch():
        while not watching.wait(0.002):
            seen.append(terminal.coolant)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield seen
    finally:
        watching.set()
        watcher.join()


def test_a_stop_just_before_a_pulse_is_written_keeps_the_valve_shut():
    with running("grblhal") as (terminal, stage):
        program = stage._link.program

        def late(*arguments, **named):
            stage.stop()  # from another thread, in the moment before the lines are sent
            return program(*arguments, **named)

        stage._link.program = late
        with noted(terminal) as seen, pytest.raises(DeviceError, match="stopped"):
            stage.pulse("M8", 0.3)
        assert "F" not in seen
        stage._link.program = program
        stage.pulse("M8", 0.05)


def test_a_sprayer_that_is_closed_just_before_a_pulse_keeps_its_valve_shut():
    with running("grblhal") as (terminal, stage):
        sprayer = GrblSprayerSettings(kind="grbl", pulse_s=0.3).open(Room(RealClock()), stage)
        pulse = stage.pulse

        def late(*arguments, **named):
            sprayer.close()  # by an emergency stop, when the sprayer had looked whether it is open
            return pulse(*arguments, **named)

        stage.pulse = late
        with noted(terminal) as seen, pytest.raises(DeviceError, match="stopped"):
            sprayer.spray(0.3)
        assert "F" not in seen


def test_a_report_that_lost_an_axis_is_torn_and_no_thread_dies_of_it():
    with running("grblhal") as (_, stage):
        stage._link._asked_s = time.monotonic()
        stage._link._hear("<Idle|MPos:-26.000,-26.000,-61.000|FS:0,0>", time.monotonic())
        assert stage.pose() == Pose()
        assert len(stage._link._status[0].machine) == 4


def test_whatever_goes_wrong_while_it_listens_is_told():
    with running("grblhal") as (terminal, stage):

        def wrong(*_):
            raise IndexError("tuple index out of range")

        stage._link.on_status = wrong
        until(lambda: failed(stage))
        with pytest.raises(DeviceError, match="IndexError"):
            stage.pose()
        stage.stop()
        assert not terminal.moving


def test_a_report_from_before_a_jog_began_is_no_arrival():
    with running("grblhal") as (terminal, stage):
        command, seen = stage._link.command, []

        def slow(line, *more, before):
            assert before(time.monotonic())
            for _ in range(3):  # asked and answered while the line is on its way
                asked_s = time.monotonic()
                stage._hear(stage._link.report(2.0), asked_s, time.monotonic())
                seen.append(stage.is_moving())
            return command(line, *more)

        stage._link.command = slow
        stage.jog(FAR)
        assert seen == [True] * 3
        assert stage.is_moving()
        until(lambda: terminal.moving)
        stage.stop()
        until(lambda: not stage.is_moving())
        assert not terminal.moving


def test_an_emergency_while_it_is_opened_without_its_cable_is_not_said_to_be_obeyed(tmp_path):
    room = Room(RealClock())
    with Terminal(small_setup("grblhal", s25=300.0), tmp_path / "grbl") as terminal:

        def open_it():
            with pytest.raises(DeviceError, match=r"gone|emergency"):
                GrblStageSettings(**stage_block("grblhal", terminal.port)).open(room)

        opening = threading.Thread(target=open_it)
        opening.start()
        until(lambda: terminal.state == "Home" and terminal.moving)
        terminal.set("deaf", 1)
        stopping = threading.Thread(target=room.stops.stop)
        stopping.start()
        stopping.join(2.0)
        assert stopping.is_alive()
        stopping.join()
        opening.join()


def test_errors_begin_with_the_stages_name(tmp_path):
    with running("grblhal", tmp_path / "grbl") as (terminal, stage):
        terminal.unplug()
        until(lambda: failed(stage))
        with pytest.raises(DeviceError, match=f"^stage: {terminal.port}: the controller is gone"):
            stage.pose()
    with pytest.raises(DeviceError, match=r"^stage: /not/there: cannot be opened"):
        open_stage("grblhal", "/not/there")
