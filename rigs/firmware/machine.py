"""The controller itself: lines and single characters in, motion and coolant outputs, replies out in their own time.

Like the real ones it is always a little late, forgets what does not fit into its buffer, and does one line at a time.
"""

import random
import re
from collections import deque
from collections.abc import Callable

from rigs.firmware.kinds import KINDS, Setup
from rigs.firmware.motion import Motion, Point
from rigs.firmware.words import Line, LineError, Modes, read_line

_HARD_LIMIT, _SOFT_LIMIT, _RESET_MOVING, _RESET_HOMING = 1, 2, 3, 6
_HELP_LOCKED = "[MSG:'$H'|'$X' to unlock]"
_WCO_EVERY = 10
_COMMENT = re.compile(r"\([^)]*\)|;.*")


class Machine:
    """One controller; all its methods take the time, in seconds, which must not go back.

    Attributes:
        state: Idle, Run, Hold, Jog, Home or Alarm.
        coolant: outputs that are on: `F` for M8, `M` for M7.
        settings: `$` settings by number.
        late_s: a fault: added to every reply.
        deaf: a fault: it does nothing more and says nothing more.
    """

    def __init__(self, setup: Setup, now_s: float) -> None:
        self.kind = KINDS[setup.kind]
        self.settings = setup.settings()
        self.coolant: frozenset[str] = frozenset()
        self.late_s = 0.0
        self.deaf = False
        self.state = "Idle"
        self._chance = random.Random(setup.seed)
        # Where the plate stands before homing is anyone's guess: the counters say 0 wherever that is.
        self._offset = tuple(-self._chance.uniform(0.1, 0.5) * self.settings[130 + n] for n in range(self._axes))
        self._true_places: list[tuple[float, Point]] = [(0.0, self._offset)]
        self._motion = Motion((0.0,) * self._axes, now_s)
        self._must_home = False
        self._out: deque[tuple[float, bytes]] = deque()
        self._boot(now_s)

    def _boot(self, now_s: float) -> None:
        self.state = "Alarm" if self.settings[22] else "Idle"
        self._booted_s = now_s + self.kind.boot_s
        self._restart(now_s, self._booted_s)

    def _restart(self, now_s: float, welcome_s: float) -> None:
        """Forget all lines, shut all outputs, greet."""
        self._motion.advance(now_s)
        self._motion.clear()
        self._waiting: deque[int] = deque()
        self._line = bytearray()
        self._modes = Modes()
        self._until: Callable[[float], bool] | None = None
        self._critical = False
        self._hold_from_s: float | None = None
        self._flush = False
        self._soft_limit = False
        self._reports = 0
        self.coolant = frozenset()
        self._asked: tuple[float, float] | None = None
        self._say(welcome_s, "", self.kind.welcome)
        if self.state == "Alarm":
            self._say(welcome_s, _HELP_LOCKED)

    def power_up(self, now_s: float) -> None:
        """Restart as after the reset button: the counters are lost."""
        self._moved_to(self.true_position(now_s), (0.0,) * self._axes, now_s)
        self._boot(now_s)

    @property
    def _axes(self) -> int:
        return len(self.kind.axes)

    def true_position(self, time_s: float) -> Point:
        """Return where the carriage truly was at a moment, in machine coordinates, whatever the counters say."""
        offset = next(place for at_s, place in reversed(self._true_places) if at_s <= time_s)
        return tuple(a + b for a, b in zip(self._motion.position_at(time_s), offset, strict=True))

    @property
    def moving(self) -> bool:
        """Whether the motors turn now."""
        return self._motion.speed > 0

    def _moved_to(self, true: Point, counted: Point, now_s: float) -> None:
        self._motion.advance(now_s)
        self._motion.place(counted)
        self._true_places.append((now_s, tuple(a - b for a, b in zip(true, counted, strict=True))))

    # Bytes in, bytes out.

    def receive(self, data: bytes, now_s: float) -> None:
        """Take bytes; single-character commands act at once, lines wait their turn."""
        if self.deaf or now_s < self._booted_s:  # a boot loader takes what comes
            return
        for byte in data:
            self.advance(now_s)
            if byte == 0x18:
                self._reset(now_s)
            elif byte == ord("?"):
                self._ask(now_s)
            elif byte == ord("!"):
                self._hold(now_s)
            elif byte == 0x85:
                if self.state == "Jog":
                    self._hold(now_s)
            elif byte == ord("~"):
                self._resume()
            elif byte < 0x80 and len(self._waiting) < self.kind.receive_bytes:
                self._waiting.append(byte)
        self.advance(now_s)

    def next_due_s(self) -> float | None:
        """Return when the next bytes are to be sent; None if there are none."""
        return self._out[0][0] if self._out else None

    def sent_by(self, now_s: float) -> bytes:
        """Return and forget the bytes that have been sent until now."""
        data = b""
        while self._out and self._out[0][0] <= now_s:
            data += self._out.popleft()[1]
        return b"" if self.deaf else data

    def _say(self, time_s: float, *lines: str) -> None:
        last_s = self._out[-1][0] if self._out else 0.0
        self._out.append((max(time_s + self.late_s, last_s), "".join(f"{line}\r\n" for line in lines).encode()))

    def _answer(self, now_s: float, reply: str) -> None:
        self._say(now_s + self._chance.uniform(*self.kind.reply_s), reply)

    # Time.

    def advance(self, now_s: float) -> None:
        """Let it work until now."""
        if self._hold_from_s is not None and now_s >= self._hold_from_s:
            self._motion.advance(self._hold_from_s)
            self._motion.holding = True
            self._hold_from_s = None
        if self._asked is not None and now_s >= self._asked[0]:
            self._motion.advance(self._asked[0])
            self._report(self._asked[1])
            self._asked = None
        self._motion.advance(now_s)
        stopped = self._motion.idle or (self._motion.holding and self._motion.speed == 0.0)
        if stopped and self._soft_limit:
            self._alarm(_SOFT_LIMIT, now_s)
        if stopped and self._flush:
            self._motion.clear()
            self._flush = False
        if self._motion.idle and self.state in ("Run", "Jog"):
            self.state = "Idle"
        if not self.deaf:
            self._work(now_s)

    def _work(self, now_s: float) -> None:
        while not (self._critical or self.state == "Hold" or self._flush or self._soft_limit):
            if self._until is not None:
                if not self._until(now_s):
                    return
                self._until = None
            line = self._next_line()
            if line is None:
                return
            self._execute(line, now_s)

    def _next_line(self) -> str | None:
        while self._waiting:
            byte = self._waiting.popleft()
            if byte in b"\r\n":
                line, self._line = self._line.decode("ascii", "replace"), bytearray()
                return _COMMENT.sub("", line)
            if byte > ord(" "):
                self._line.append(byte)
        return None

    def _execute(self, line: str, now_s: float) -> None:
        if not line:
            self._answer(now_s, "ok")
            return
        try:
            if len(line) > self.kind.line_chars:
                raise LineError(11)
            done = self._command(line.upper(), now_s) if line.startswith("$") else self._move(line.upper(), now_s)
        except LineError as error:
            self._answer(now_s, f"error:{error.number}")
            return
        if done is None:
            if not self._critical:
                self._answer(now_s, "ok")
            return

        def until(moment_s: float) -> bool:
            if not done(moment_s):
                return False
            self._answer(moment_s, "ok")
            return True

        self._until = until

    # Lines.

    def _move(self, text: str, now_s: float) -> Callable[[float], bool] | None:
        if self.state in ("Alarm", "Jog"):
            raise LineError(9)
        line = read_line(text, self.kind.axes, self._modes, self._motion.end, self.coolant)
        if line.target is not None:
            if not self._reaches(line.target):
                self._soft_limit = True
                self._motion.holding = not self._motion.idle
                return lambda _: False
            if self._motion.full:
                return lambda moment_s: self._queue_when_free(line, moment_s)
            self._queue(line, now_s, "Run")
        if line.coolant is not None or line.dwell_s is not None:
            return self._after_motion(line)
        return None

    def _queue_when_free(self, line: Line, now_s: float) -> bool:
        if self._motion.full:
            return False
        self._queue(line, now_s, "Run")
        return True

    def _after_motion(self, line: Line) -> Callable[[float], bool]:
        """Return what waits for the end of all motion, then switches outputs, then dwells."""
        ends_s: list[float] = []

        def done(now_s: float) -> bool:
            if not ends_s:
                if not self._motion.idle:
                    return False
                if line.coolant is not None:
                    self.coolant = line.coolant
                ends_s.append(now_s + (line.dwell_s or 0.0))
            return now_s >= ends_s[0]

        return done

    def _queue(self, line: Line, now_s: float, state: str) -> None:
        axes = range(self._axes)
        if line.target is None:
            return
        if self._motion.idle:
            self._motion.begin(now_s)
        rates = [self.settings[110 + n] / 60 for n in axes]
        self._motion.add(line.target, line.rate, rates, [self.settings[120 + n] for n in axes], self.settings[11])
        if not self._motion.idle:
            self.state = state

    def _reaches(self, target: Point) -> bool:
        if not self.settings[20]:
            return True
        return all(-self.settings[130 + n] - 1e-6 <= place <= 1e-6 for n, place in enumerate(target))

    def _command(self, line: str, now_s: float) -> Callable[[float], bool] | None:
        if line == "$$":
            if self.state in ("Run", "Hold"):
                raise LineError(8)
            self._say(now_s, *(f"${number}={_number(value)}" for number, value in sorted(self.settings.items())))
        elif line == "$I":
            self._say(now_s, *self.kind.info)
        elif line == "$X":
            if self.state == "Alarm":
                if self._must_home:
                    raise LineError(46)
                self.state = "Idle"
                self._say(now_s, "[MSG:Caution: Unlocked]")
        elif line == "$H":
            return self._home(now_s)
        elif line.startswith("$J="):
            self._jog(line[3:], now_s)
        elif "=" in line and line[1 : line.index("=")].isdigit():
            if self.state not in ("Idle", "Alarm"):
                raise LineError(8)
            number = int(line[1 : line.index("=")])
            if number not in self.settings:
                raise LineError(3)
            self.settings[number] = float(line[line.index("=") + 1 :])
        else:
            raise LineError(3)
        return None

    def _jog(self, text: str, now_s: float) -> None:
        if self.state not in ("Idle", "Jog"):
            raise LineError(8)
        modes = Modes(inches=self._modes.inches, relative=self._modes.relative, motion=1)
        line = read_line(text, self.kind.axes, modes, self._motion.end, self.coolant)
        if line.target is None or line.coolant is not None or modes.motion != 1:
            raise LineError(16)
        if not self._reaches(line.target):
            raise LineError(15)
        self._queue(line, now_s, "Jog")

    def _home(self, now_s: float) -> Callable[[float], bool]:
        if not self.settings[22]:
            raise LineError(5)
        if self.state not in ("Idle", "Alarm"):
            raise LineError(8)
        true = self.true_position(now_s)
        self._moved_to(true, true, now_s)
        target = (-self.settings[27],) * self._axes
        self._queue(Line(target, self.settings[25] / 60), now_s, "Home")
        self.state = "Home"

        def done(_: float) -> bool:
            if not self._motion.idle:
                return False
            self.state, self._must_home = "Idle", False
            return True

        return done

    # Single characters.

    def _hold(self, now_s: float) -> None:
        if self.state == "Idle":
            self.state = "Hold"
        elif self.state in ("Run", "Jog") and self._hold_from_s is None and not self._motion.holding:
            self._hold_from_s = now_s + self._chance.uniform(*self.kind.cancel_s)
            self._flush = self.state == "Jog"
            if self.state == "Run":
                self.state = "Hold"

    def _resume(self) -> None:
        if self.state == "Hold" and self._motion.speed == 0.0:
            self._motion.holding = False
            self.state = "Idle" if self._motion.idle else "Run"

    def _reset(self, now_s: float) -> None:
        homing = self.state == "Home"
        if self.moving or homing:
            self.state = "Alarm"
            self._critical = False
            self._say(now_s, f"ALARM:{_RESET_HOMING if homing else _RESET_MOVING}")
        elif self.state != "Alarm":
            self.state = "Idle"
        self._restart(now_s, now_s + 0.005)

    def strike(self, now_s: float) -> None:
        """Let the carriage run against a limit switch: it stops dead, and its counters are wrong from then on."""
        self.advance(now_s)
        self._must_home = not self.kind.unlocks_after_limit
        self._alarm(_HARD_LIMIT, now_s)

    def _alarm(self, number: int, now_s: float) -> None:
        self._motion.clear()
        self._soft_limit = False
        self.coolant = frozenset()
        self.state, self._critical, self._until = "Alarm", True, None
        self._say(now_s, f"ALARM:{number}", "[MSG:Reset to continue]")

    def _ask(self, now_s: float) -> None:
        if self._asked or (self.kind.silent_in_alarm and (self._critical or self.state == "Home")):
            return
        # The counters are read somewhere between the question and the answer.
        delay_s = self._chance.uniform(*self.kind.report_s)
        self._asked = now_s + self._chance.random() * delay_s, now_s + delay_s

    def _report(self, sent_s: float) -> None:
        state = self.state
        if state == "Hold":
            state = "Hold:1" if self.moving or self._hold_from_s is not None else "Hold:0"
        steps = [self.settings[100 + n] for n in range(self._axes)]
        counted = [round(place * per) / per for place, per in zip(self._motion.position, steps, strict=True)]
        fields = [state, "MPos:" + _triple(counted), f"FS:{self._motion.speed * 60:.0f},0"]
        if self._reports % _WCO_EVERY == 0:
            fields.append("WCO:" + _triple([0.0] * self._axes))
        elif self._reports % _WCO_EVERY == 1 or self.coolant:
            fields.append("Ov:100,100,100")
            if self.coolant:
                fields.append("A:" + "".join(sorted(self.coolant)))
        self._reports += 1
        self._say(sent_s, f"<{'|'.join(fields)}>")


def _triple(values: list[float]) -> str:
    return ",".join(f"{value:.3f}" for value in values)


def _number(value: float) -> str:
    return f"{value:g}" if value == int(value) and value < 1e5 else f"{value:.3f}"
