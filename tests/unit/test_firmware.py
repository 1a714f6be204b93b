"""The stand-in behaves as the two firmwares were seen to; here without a port, at a time of its own."""

import pytest

from rigs.firmware.kinds import KINDS, Setup
from rigs.firmware.machine import Machine
from rigs.firmware.motion import Motion

BOTH = pytest.mark.parametrize("kind", sorted(KINDS))
STEP_S = 0.001


class Bench:
    """A machine and its time."""

    def __init__(self, kind, **change):
        self.now_s = 100.0
        self.machine = Machine(Setup(kind, {int(name[1:]): value for name, value in change.items()}), self.now_s)
        self.run(0.2)

    def run(self, seconds):
        """Let time pass; return what it says."""
        said = b""
        for _ in range(round(seconds / STEP_S)):
            self.now_s += STEP_S
            self.machine.advance(self.now_s)
            said += self.machine.sent_by(self.now_s)
        return [line for line in said.decode().replace("\r", "").split("\n") if line]

    def send(self, data, seconds=0.02):
        """Send, and return what it says in a while."""
        self.machine.receive(data if isinstance(data, bytes) else f"{data}\n".encode(), self.now_s)
        return self.run(seconds)

    def until(self, word, limit_s=10.0):
        """Return how long it took until it said a word."""
        begun_s = self.now_s
        while self.now_s - begun_s < limit_s:
            if word in self.run(STEP_S):
                return self.now_s - begun_s
        pytest.fail(f"never said {word}")

    def home(self):
        self.machine.receive(b"$H\n", self.now_s)
        self.until("ok")
        return self

    @property
    def state(self):
        self.run(0.01)
        return self.machine.state


@BOTH
def test_it_greets_locked_and_says_who_it_is(kind):
    bench = Bench(kind)
    assert bench.send(b"\x18") == [KINDS[kind].welcome, "[MSG:'$H'|'$X' to unlock]"]
    assert bench.send("G1X-1F100") == ["error:9"]
    info = bench.send("$I")
    assert info[0].startswith("[VER:1.1")
    assert ("[FIRMWARE:grblHAL]" in info) == (kind == "grblhal")


@BOTH
def test_before_homing_its_counters_are_not_where_the_carriage_is(kind):
    bench = Bench(kind)
    assert max(bench.machine.true_position(bench.now_s)) < -1
    report = bench.send(b"?", 0.05)[0]
    assert "MPos:0.000,0.000,0.000" in report
    bench.home()
    assert bench.machine.true_position(bench.now_s) == (-1.0,) * len(KINDS[kind].axes)


@BOTH
@pytest.mark.parametrize("seed", range(5))
def test_reports_come_as_late_as_measured(kind, seed):
    bench = Bench(kind).home()
    low_s, high_s = {"grbl": (0.004, 0.008), "grblhal": (0.020, 0.040)}[kind]
    for _ in range(seed + 1):
        bench.machine.receive(b"?", bench.now_s)
        begun_s = bench.now_s
        while not bench.run(STEP_S):
            pass
        assert low_s <= bench.now_s - begun_s <= high_s + 2 * STEP_S


@BOTH
def test_the_ok_of_a_move_comes_while_it_moves_and_that_of_a_dwell_at_its_end(kind):
    bench = Bench(kind).home()
    bench.machine.receive(b"G21G90G53G1X-50F6000\n", bench.now_s)
    assert bench.until("ok") < 0.01
    bench.run(0.01)
    assert bench.machine.moving
    bench.machine.receive(b"G4P0.01\n", bench.now_s)
    bench.until("ok")
    assert bench.machine.true_position(bench.now_s)[0] == -50
    assert bench.state == "Idle"


@BOTH
def test_a_jog_is_cancelled_in_place_and_takes_no_gcode(kind):
    bench = Bench(kind).home()
    assert bench.send("$J=G90G53X-150F3000", 0.5) == ["ok"]
    assert bench.send("G1X-1F100") == ["error:9"]
    bench.machine.receive(b"\x85", bench.now_s)
    begun_s = bench.now_s
    while bench.machine.state != "Idle":
        bench.run(STEP_S)
    low_s, high_s = {"grbl": (0.15, 0.32), "grblhal": (0.077, 0.175)}[kind]
    assert low_s <= bench.now_s - begun_s + 0.05 and bench.now_s - begun_s <= high_s
    assert -150 < bench.machine.true_position(bench.now_s)[0] < -1
    assert bench.send("G4P0.01", 0.05) == ["ok"]


@BOTH
@pytest.mark.parametrize("alarm", [1, 2])
def test_after_a_limit_alarm_nothing_works_before_a_reset(kind, alarm):
    bench = Bench(kind).home()
    if alarm == 1:
        bench.machine.strike(bench.now_s)
        said = bench.run(0.05)
    else:
        said = bench.send("G1X5F100", 0.05)
    assert said == [f"ALARM:{alarm}", "[MSG:Reset to continue]"]
    answer = bench.send(b"?", 0.1)
    assert (answer == []) == (kind == "grbl")
    assert kind == "grbl" or answer[0].startswith("<Alarm")
    assert bench.send("$X", 0.1) == []
    assert bench.send(b"\x18")[-1] == "[MSG:'$H'|'$X' to unlock]"
    if kind == "grblhal" and alarm == 1:
        assert bench.send("$X") == ["error:46"]
        bench.home()
    else:
        assert bench.send("$X") == ["[MSG:Caution: Unlocked]", "ok"]
    assert bench.state == "Idle"


@BOTH
def test_a_line_over_80_characters(kind):
    bench = Bench(kind).home()
    line = "G1" + "X-1.000" + "F100." + "0" * 80
    assert len(line) > 80
    assert bench.send(line, 0.3) == (["error:11"] if kind == "grbl" else ["ok"])


@BOTH
def test_a_reset_at_rest_keeps_the_position_and_one_in_motion_loses_it(kind):
    bench = Bench(kind).home()
    assert bench.send(b"\x18") == [KINDS[kind].welcome]
    bench.send("G1X-100F6000", 0.3)
    assert bench.send(b"\x18")[0] == "ALARM:3"
    assert not bench.machine.moving
    assert bench.state == "Alarm"


@BOTH
def test_hold_then_reset_keeps_the_position(kind):
    bench = Bench(kind).home()
    bench.send("G1X-100F6000", 0.3)
    bench.send(b"!", 0.6)
    assert bench.send(b"?", 0.05)[0].startswith("<Hold:0|")
    place = bench.machine.true_position(bench.now_s)
    assert bench.send(b"\x18") == [KINDS[kind].welcome]
    assert bench.state == "Idle"
    assert bench.machine.true_position(bench.now_s) == place


@BOTH
def test_hold_then_resume_goes_on(kind):
    bench = Bench(kind).home()
    bench.send("G1X-20F6000", 0.1)
    bench.send(b"!", 0.6)
    assert not bench.machine.moving
    bench.send(b"~", 1.0)
    assert bench.machine.true_position(bench.now_s)[0] == -20


@BOTH
def test_coolant_waits_for_the_motion_and_a_reset_shuts_it(kind):
    bench = Bench(kind).home()
    bench.machine.receive(b"G1X-20F6000\nM8\nG4P0.3\nM9\n", bench.now_s)
    while bench.machine.moving or not bench.machine.coolant:
        assert not (bench.machine.moving and bench.machine.coolant)
        bench.run(STEP_S)
    bench.run(0.35)
    assert not bench.machine.coolant
    bench.send("M8")
    bench.send("M7")
    assert bench.machine.coolant == {"F", "M"}
    bench.send(b"\x18")
    assert not bench.machine.coolant


@BOTH
def test_what_does_not_fit_into_its_buffer_is_lost(kind):
    bench = Bench(kind).home()
    bench.machine.receive(b"G4P1\n", bench.now_s)  # it takes this line out, and has all its room for those that wait
    bench.machine.receive(b"G4P0\n" * 300, bench.now_s)
    assert bench.run(1.5).count("ok") == 1 + KINDS[kind].receive_bytes // len("G4P0\n")


@BOTH
@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("G1X-1", 22),
        ("G93G1X-1", 22),
        ("G2X-1", 20),
        ("G4", 28),
        ("G1X", 2),
        ("X--1", 2),
        ("G0G1X-1", 21),
        ("$nonsense", 3),
        ("$J=X5F100", 15),
        ("$J=G0M8", 16),
    ],
)
def test_lines_that_it_refuses(kind, line, error):
    bench = Bench(kind).home()
    assert bench.send(line) == [f"error:{error}"]
    assert bench.state == "Idle"


@BOTH
def test_inverse_time_takes_that_time(kind):
    bench = Bench(kind).home()
    bench.machine.receive(b"G93G53G1X-21F30\nG4P0\n", bench.now_s)  # 20 mm at 10 mm/s: 2 s and a ramp of 25 ms
    bench.until("ok")
    assert bench.until("ok") == pytest.approx(2.025, abs=0.005)


def test_a_move_is_the_trapezoid_that_its_limits_allow():
    motion = Motion((0.0, 0.0, 0.0), 0.0)
    motion.add((60.0, 0.0, 0.0), 1000.0, [60, 60, 120], [400, 400, 900], 0.01)
    for now in range(1, 1200):
        motion.advance(now / 1000)
        if motion.idle:
            break
    assert now / 1000 == pytest.approx(1.15, abs=0.002)
    assert motion.position_at(0.15)[0] == pytest.approx(4.5, abs=0.05)
    assert motion.position_at(0.575)[0] == pytest.approx(30, abs=0.05)


def test_corners_are_taken_faster_the_blunter_they_are():
    took = []
    for corner in ((60.0, 0.0, 0.0), (30.0, 30.0, 0.0), (0.0, 0.0, 0.0)):
        motion = Motion((0.0, 0.0, 0.0), 0.0)
        motion.add((30.0, 0.0, 0.0), 60.0, [60, 60, 120], [400, 400, 900], 0.01)
        motion.add(corner, 60.0, [60, 60, 120], [400, 400, 900], 0.01)
        now_s = 0.0
        while not motion.idle:
            now_s += 0.001
            motion.advance(now_s)
        took.append(now_s)
    assert took[0] == pytest.approx(1.15, abs=0.003)
    assert took[0] < took[1] < took[2] + 0.002
    assert took[2] == pytest.approx(1.3, abs=0.003)
