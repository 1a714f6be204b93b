"""What a GRBL controller says, line by line; whatever is torn or garbled is `None`, never a guess.

By GRBL's doc/markdown/interface.md.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

_STATES = frozenset({"Idle", "Run", "Hold", "Jog", "Alarm", "Door", "Check", "Home", "Sleep", "Tool"})
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_WELCOME = re.compile(r"(Grbl|GrblHAL) (\d+)\.(\d+)\w* \[")
_SETTING = re.compile(r"\$(\d+)=(-?\d+(?:\.\d+)?)")
_REPLY = re.compile(r"(ok|error|ALARM)(?::(\d+))?")
_AXES = (3, 8)
_LONGEST = 512

ALARMS: Mapping[int, str] = MappingProxyType(
    {
        1: "a limit switch was hit and the position is lost",
        2: "a target beyond its travel",
        3: "it was reset while it moved and the position is lost",
        6: "homing was interrupted",
        7: "a door was opened while it homed",
        8: "homing could not leave a limit switch; look at $27 and the switches",
        9: "homing found no limit switch; look at $23, $25 and the switches",
        10: "its emergency stop is pressed",
        11: "it has to be homed",
        14: "its spindle, which it should not have, is not at speed",
    }
)
"""What its alarms mean, by number."""

ERRORS: Mapping[int, str] = MappingProxyType(
    {
        3: "it does not know this command",
        5: "homing is switched off; send $22=1",
        8: "it is busy",
        9: "it is locked by an alarm",
        11: "the line is too long",
        15: "the target is beyond its travel",
        20: "it does not know this G-code",
        22: "a feed rate is missing",
        46: "it has to be homed first",
    }
)
"""What some of its errors mean, by number."""


@dataclass(frozen=True, slots=True)
class Status:
    """One report.

    Attributes:
        state: as Idle or Run.
        settled: False where it holds and still slows down.
        machine: machine position by axis, in mm and degrees; None where the report has the work position alone.
    """

    state: str
    settled: bool
    machine: tuple[float, ...] | None


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to a line, or an alarm.

    Attributes:
        word: ok, error or ALARM.
        number: which error or alarm; 0 for ok.
    """

    word: str
    number: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one line.

    Attributes:
        sent_s: when the line began to be sent.
        heard_s: when its ok was heard.
        said: lines that came before the ok.
    """

    sent_s: float
    heard_s: float
    said: tuple[str, ...]


class LineBuffer:
    """Bytes in, whole lines out: a serial port gives pieces that end anywhere."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[str]:
        """Return the lines that are whole now, without blanks around them."""
        *lines, self._rest = (self._rest + data).replace(b"\r", b"\n").split(b"\n")
        # A line that never ends is noise.
        self._rest = self._rest[-_LONGEST:]
        return [text for line in lines if (text := line.decode("ascii", "replace").strip())]


def read_welcome(line: str) -> tuple[str, int, int] | None:
    """Return name and version of a firmware that greets: every reset begins with that."""
    match = _WELCOME.match(line)
    return (match[1], int(match[2]), int(match[3])) if match else None


def read_reply(line: str) -> Reply | None:
    """Return an ok, error or alarm; an error without its number is none."""
    match = _REPLY.fullmatch(line)
    if match is None or (match[1] == "ok") != (match[2] is None):
        return None
    return Reply(match[1], int(match[2] or 0))


def read_setting(line: str) -> tuple[int, float] | None:
    """Return number and value of a line of `$$`; texts, which grblHAL has too, are none."""
    match = _SETTING.fullmatch(line)
    return (int(match[1]), float(match[2])) if match else None


def read_status(line: str, axes: int | None = None) -> Status | None:
    """Return a report; None where anything of it is torn.

    Args:
        line: what was said.
        axes: how many the controller has; None where that is not known yet: then any number of them will do.
    """
    if not (line.startswith("<") and line.endswith(">")) or "<" in line[1:]:
        return None
    first, *fields = line[1:-1].split("|")
    state, _, detail = first.partition(":")
    if state not in _STATES:
        return None
    values = dict(field.partition(":")[::2] for field in fields)
    if "MPos" not in values:
        return Status(state, detail in ("", "0"), None)
    numbers = values["MPos"].split(",")
    few, many = _AXES if axes is None else (axes, axes)
    if not all(_NUMBER.fullmatch(number) for number in numbers) or not few <= len(numbers) <= many:
        return None
    machine = tuple(float(number) for number in numbers)
    if not all(math.isfinite(place) for place in machine):
        return None
    return Status(state, detail in ("", "0"), machine)
