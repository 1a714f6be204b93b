"""The GRBL stage when it is opened: what is refused, and how it is reached."""

import os
import select
import socket
import threading
import time
import tty
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import yaml

from natadv.errors import ConfigError, ConnectError, DeviceError, SettingError
from natadv.raindrops.pose import Pose
from rigs.clock import RealClock
from rigs.drivers import settings_of
from rigs.firmware.machine import Machine
from rigs.firmware.terminal import Terminal
from rigs.room import Room
from rigs.settings import parse_settings
from rigs.stage.grbl import GrblStageSettings
from rigs.stage.grbl_link import GrblLink
from tests.grbl_rig import small_setup, stage_block
from tests.grbl_stage import BOTH, off, open_stage, running, true_pose, until


@pytest.mark.parametrize(
    ("change", "settings", "said"),
    [
        ({"s10": 0}, {}, r"\$10=1"),
        ({"s13": 1}, {}, r"\$13=0"),
        ({"s20": 0}, {}, r"soft limits are off; send \$20=1"),
        ({"s22": 0}, {}, r"\$22=1, or say `homing: skip`"),
        ({}, {"homing": "skip"}, r"send \$20=0, or say `homing: required`"),
        ({}, {"speed_mm_per_s": 200.0}, r"speed_mm_per_s needs 200; lower it, or send \$110=12000"),
        ({"s121": 100}, {}, r"axis Y has an acceleration of 100, .* needs 2000; .*\$121=2000"),
        ({"s131": 30}, {}, r"axis Y goes from -30 to 0; .*\$131=50"),
        ({}, {"home": (-10.0, -26.0, -61.0)}, r"axis X goes .* home at -10 does not fit"),
    ],
)
def test_a_controller_that_is_set_up_otherwise_is_refused_with_what_mends_it(change, settings, said):
    with (
        Terminal(small_setup("grblhal", **change)) as terminal,
        pytest.raises(SettingError, match=said),
    ):
        open_stage("grblhal", terminal.port, **settings)


def test_grbl_has_no_fourth_axis():
    with Terminal(small_setup("grbl")) as terminal, pytest.raises(SettingError, match="has no axis A"):
        open_stage("grbl", terminal.port, angle_axis="A")


@pytest.mark.parametrize("port", ["/dev/serial/by-id/not-there", "socket://127.0.0.1:1", "nonsense://x"])
def test_a_port_that_is_not_there(port):
    with pytest.raises(ConnectError, match="cannot be opened"):
        open_stage("grbl", port)


def test_a_port_behind_which_nothing_greets():
    with Terminal(small_setup("grblhal")) as terminal:
        terminal.set("deaf", 1)
        with pytest.raises(ConnectError, match="no GRBL greets"):
            open_stage("grblhal", terminal.port, boot_s=0.3)


SLOW = {"s25": 300.0}  # homing takes ten seconds


@BOTH
def test_an_emergency_stop_reaches_a_stage_that_homes(kind):
    room, raised = Room(RealClock()), []
    with Terminal(small_setup(kind, **SLOW)) as terminal:

        def open_it():
            try:
                GrblStageSettings(**stage_block(kind, terminal.port)).open(room)
            except DeviceError as error:
                raised.append(str(error))

        opening = threading.Thread(target=open_it)
        opening.start()
        until(lambda: terminal.state == "Home" and terminal.moving)
        room.stops.stop()
        until(lambda: not terminal.moving, 0.5)
        opening.join(10)
        assert raised == [f"stage: {terminal.port}: emergency stop"]
        until(lambda: not terminal.moving, 0.1)


def test_after_an_emergency_stop_nothing_is_homed():
    room = Room(RealClock())
    room.stops.stop()
    with Terminal(small_setup("grblhal", **SLOW)) as terminal:
        with pytest.raises(DeviceError, match="emergency stop"):
            GrblStageSettings(**stage_block("grblhal", terminal.port)).open(room)
        assert not terminal.moving


@BOTH
def test_ctrl_c_while_it_homes_stops_it(kind, monkeypatch):
    command = GrblLink.command

    def interrupted(link, line, *more, **named):
        if line != "$H":
            return command(link, line, *more, **named)
        link.now(b"$H\n")
        until(lambda: terminal.moving)
        raise KeyboardInterrupt

    monkeypatch.setattr(GrblLink, "command", interrupted)
    with Terminal(small_setup(kind, **SLOW)) as terminal:
        with pytest.raises(KeyboardInterrupt):
            open_stage(kind, terminal.port)
        until(lambda: not terminal.moving, 0.5)


def test_a_greeting_of_an_older_reset_is_not_taken_for_the_last_one(monkeypatch):
    receive, begun = Machine.receive, []

    def greeting_early(machine, data, now_s):
        if not begun and now_s < machine._booted_s:  # what was in the wire when the port was opened
            begun.append(now_s)
            machine._out.insert(0, (now_s, f"\r\n{machine.kind.welcome}\r\n".encode()))
        receive(machine, data, now_s)

    monkeypatch.setattr(Machine, "receive", greeting_early)
    monkeypatch.setattr("rigs.stage.grbl_greeting._QUIET_S", 0.01)
    with running("grbl") as (_, stage):
        assert begun
        assert stage.pose() is not None


@contextmanager
def over_tcp(port):
    """A serial server: what comes by TCP goes to the port, and back."""
    listening = socket.create_server(("127.0.0.1", 0))

    def carry():
        wire, _ = listening.accept()
        line = os.open(port, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(line)
        with wire, suppress(OSError):
            while True:
                for ready in select.select([wire, line], [], [])[0]:
                    data = os.read(line, 256) if ready is line else wire.recv(256)
                    if not data:
                        return
                    os.write(line, data) if ready is wire else wire.sendall(data)
        os.close(line)

    carrying = threading.Thread(target=carry)
    carrying.start()
    yield f"socket://127.0.0.1:{listening.getsockname()[1]}"
    carrying.join()
    listening.close()


@BOTH
def test_a_controller_behind_a_network(kind):
    with Terminal(small_setup(kind)) as terminal, over_tcp(terminal.port) as url:
        stage = open_stage(kind, url)
        try:
            stage.follow([Pose(5, 5, 5)])
            until(lambda: not stage.is_moving())
            assert max(off(Pose(5, 5, 5), true_pose(kind, terminal.position_at(time.monotonic())))) < 0.02
            stage.pulse("M8", 0.05)
        finally:
            stage.close()


def test_the_rig_file_of_the_page_about_wiring_is_one():
    page = (Path(__file__).parents[2] / "docs/bench/stage.md").read_text()
    blocks = yaml.safe_load(page.split("```yaml\n")[1].split("```")[0])
    for device, block in blocks.items():
        assert settings_of(device, block).model_validate(block).kind == "grbl"


def test_a_port_has_one_user():
    with running("grblhal") as (terminal, _), pytest.raises(ConnectError, match="look who uses it"):
        open_stage("grblhal", terminal.port)


def test_two_straight_axes_are_not_one():
    with pytest.raises(ConfigError, match="both X"):
        parse_settings("kind: grbl\nport: x\ny_axis: X\n", GrblStageSettings, where="rig.yaml")
