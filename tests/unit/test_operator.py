"""The person at the rig, and the stage and sprayer that are one."""

import os
import threading

import pytest

from natadv.errors import ConfigError, DeviceError, SettingError
from natadv.raindrops.pose import Pose
from rigs.clock import VirtualClock
from rigs.operator import TerminalOperator
from rigs.room import Room
from rigs.sprayer.grbl import GrblSprayerSettings
from rigs.sprayer.operator import OperatorSprayerSettings
from rigs.stage.manual import ManualStageSettings


class Person:
    """An operator that does what it is told, or not."""

    def __init__(self, willing=True):
        self.willing = willing
        self.heard = []

    def tell(self, message):
        self.heard.append(message)

    def ask(self, message):
        self.heard.append(message)
        if not self.willing:
            raise DeviceError(f"{message}: the operator says no")

    def cancel(self):
        self.heard.append("cancel")


@pytest.fixture
def terminal():
    """An operator at the end of a pipe, what is typed there, and what is shown."""
    reading, typing = os.pipe()
    with open(reading) as answers, open(os.devnull, "w") as messages:  # noqa: PTH123
        yield TerminalOperator(answers, messages), typing
    os.close(typing)


def test_enter_is_done_and_each_line_answers_one_question(terminal):
    operator, typing = terminal
    os.write(typing, b"\n\nq\n")
    operator.ask("first")
    operator.ask("second")
    with pytest.raises(DeviceError, match="third: the operator says no"):
        operator.ask("third")


def test_nobody_there_is_an_error(terminal, tmp_path):
    (tmp_path / "empty").write_text("")
    with (
        (tmp_path / "empty").open() as answers,
        (tmp_path / "shown").open("w") as messages,
        pytest.raises(DeviceError, match="wipe: nobody can say"),
    ):
        TerminalOperator(answers, messages).ask("wipe")
    assert "wipe [Enter" in (tmp_path / "shown").read_text()


def test_a_question_is_cancelled_from_another_thread(terminal):
    operator, _ = terminal
    threading.Timer(0.2, operator.cancel).start()
    with pytest.raises(DeviceError, match="cancelled"):
        operator.ask("wipe")


def test_a_cancel_without_a_question_is_nothing(terminal):
    operator, typing = terminal
    operator.cancel()
    os.write(typing, b"\n")
    operator.ask("wipe")


def _room(person):
    return Room(VirtualClock(), operator=person)


def test_a_person_holds_the_glass_then_moves_it_then_stops():
    person = Person()
    stage = ManualStageSettings(kind="manual", travel_mm=30, travel_deg=90).open(_room(person))
    stage.follow([Pose(10, -5, 45)])
    assert not stage.is_moving()
    assert "10 mm to the right" in person.heard[-1]
    stage.follow([Pose(1, 0, 0), Pose(2, 0, 0)])
    assert stage.is_moving()
    assert stage.pose() is stage.pose_at(0.0) is None
    stage.stop()
    assert not stage.is_moving()
    assert person.heard[-1].startswith("stop")
    with pytest.raises(ValueError, match="travel"):
        stage.follow([Pose(31, 0, 0)])
    stage.close()
    stage.close()
    with pytest.raises(DeviceError, match="closed"):
        stage.follow([Pose()])


def test_a_person_who_says_no_moves_nothing():
    stage = ManualStageSettings(kind="manual").open(_room(Person(willing=False)))
    with pytest.raises(DeviceError, match="says no"):
        stage.follow([Pose(1, 0, 0), Pose(2, 0, 0)])
    assert not stage.is_moving()


def test_a_stop_never_raises_though_nobody_can_be_told():
    person = Person()
    stage = ManualStageSettings(kind="manual").open(_room(person))
    stage.follow([Pose(1, 0, 0), Pose(2, 0, 0)])
    person.tell = lambda _: (_ for _ in ()).throw(OSError("the terminal is gone"))
    stage.stop()
    assert not stage.is_moving()


def test_a_person_sprays_and_wipes():
    person = Person()
    sprayer = OperatorSprayerSettings(kind="operator").open(_room(person), None)
    sprayer.spray(1.5)
    assert "1.5 s" in person.heard[-1]
    sprayer.dry()
    assert "wipe" in person.heard[-1]
    sprayer.close()
    sprayer.close()
    with pytest.raises(DeviceError, match="closed"):
        sprayer.dry()


class Controller:
    """An `Outputs` that notes its pulses."""

    def __init__(self, mist=True):
        self.has_mist = mist
        self.pulses = []
        self.shuts = 0

    def pulse(self, output, duration_s, wanted):
        assert wanted()
        self.pulses.append((output, pytest.approx(duration_s)))

    def shut(self):
        self.shuts += 1


def test_a_long_spray_is_pulses_each_of_which_ends_by_itself():
    stage, person = Controller(), Person()
    sprayer = GrblSprayerSettings(kind="grbl", pulse_s=0.4).open(_room(person), stage)
    sprayer.spray(1.0)
    assert stage.pulses == [("M8", 0.4), ("M8", 0.4), ("M8", 0.2)]
    sprayer.dry()
    assert person.heard == ["wipe the glass until it is dry and clear"]
    sprayer.close()
    assert stage.shuts == 1
    with pytest.raises(DeviceError, match="closed"):
        sprayer.spray(0.1)


def test_a_blower_dries_for_so_long_and_then_there_is_a_wait():
    stage, person = Controller(), Person()
    room = _room(person)
    GrblSprayerSettings(kind="grbl", blower="M7", blow_s=0.5, dry_s=30).open(room, stage).dry()
    assert stage.pulses == [("M7", 0.5)]
    assert room.clock.now_s() == 30
    assert not person.heard


def test_what_the_stage_must_have():
    room = _room(Person())
    with pytest.raises(ConfigError, match="stage of kind grbl"):
        GrblSprayerSettings(kind="grbl").open(room, ManualStageSettings(kind="manual").open(room))
    with pytest.raises(SettingError, match="ENABLE_M7"):
        GrblSprayerSettings(kind="grbl", blower="M7").open(room, Controller(mist=False))
    with pytest.raises(ValueError, match="both M8"):
        GrblSprayerSettings(kind="grbl", blower="M8")
