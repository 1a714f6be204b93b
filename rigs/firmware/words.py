"""G-code as a controller reads it: one line, its words, or the number of an error."""

import math
import re
from dataclasses import dataclass

from rigs.firmware.motion import Point

_WORD = re.compile(r"([A-Z])([+-]?\d*\.?\d+|[+-]?\d+\.)")
_KNOWN_G = frozenset({0, 1, 4, 17, 20, 21, 53, 54, 61, 90, 91, 93, 94})
_KNOWN_M = frozenset({0, 2, 5, 7, 8, 9, 30})
_INCH_MM = 25.4


class LineError(Exception):
    """A line that is answered by `error:N`."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@dataclass(slots=True)
class Modes:
    """What stays from line to line, as after a reset."""

    inches: bool = False
    relative: bool = False
    inverse_time: bool = False
    motion: int = 0
    feed: float = 0.0


@dataclass(frozen=True, slots=True)
class Line:
    """What one line asks for.

    Attributes:
        target: end of the move, by axis; None where it moves nothing.
        rate: units a second for a G1, infinite for a G0.
        dwell_s: of a G4.
        coolant: outputs after it: letters of `F` (M8) and `M` (M7); None where it leaves them.
    """

    target: Point | None = None
    rate: float = 0.0
    dwell_s: float | None = None
    coolant: frozenset[str] | None = None


def read_line(text: str, axes: str, modes: Modes, here: Point, coolant: frozenset[str]) -> Line:
    """Return what a line without blanks, in capitals, asks for; `modes` changes with it.

    Args:
        text: the line.
        axes: letters of the controller's axes.
        modes: its modes so far.
        here: where the last line's move ends.
        coolant: the outputs so far.

    Raises:
        LineError: if GRBL would refuse it.
    """
    words = _words(text)
    codes = [value for letter, value in words if letter == "G"]
    if any(code not in _KNOWN_G for code in codes):
        raise LineError(20)
    values = {letter: value for letter, value in words if letter not in "GM"}
    if set(values) - set(axes) - set("FPNST"):
        raise LineError(20)
    if len([code for code in codes if code in (0, 1)]) > 1:
        raise LineError(21)
    for code in codes:
        _change(modes, int(code))
    outputs = coolant
    for code in (value for letter, value in words if letter == "M"):
        if code not in _KNOWN_M:
            raise LineError(20)
        outputs = {7: outputs | {"M"}, 8: outputs | {"F"}, 9: frozenset[str]()}.get(int(code), outputs)
    changed = outputs if outputs != coolant or any(letter == "M" for letter, _ in words) else None
    scale = _INCH_MM if modes.inches else 1.0
    if 4 in codes:
        if "P" not in values:
            raise LineError(28)
        return Line(dwell_s=values["P"], coolant=changed)
    if "F" in values and not modes.inverse_time:
        modes.feed = values["F"] * scale
    moved = [letter for letter in axes if letter in values]
    if 53 in codes and modes.motion not in (0, 1):
        raise LineError(30)
    if not moved:
        return Line(coolant=changed)
    target = tuple(
        (place if modes.relative else 0.0) + values[letter] * scale if letter in values else place
        for letter, place in zip(axes, here, strict=True)
    )
    return Line(target, _rate(modes, values, here, target), coolant=changed)


def _words(text: str) -> list[tuple[str, float]]:
    found, place = [], 0
    while place < len(text):
        match = _WORD.match(text, place)
        if match is None:
            raise LineError(2 if text[place].isalpha() else 1)
        found.append((match[1], float(match[2])))
        place = match.end()
    return found


def _change(modes: Modes, code: int) -> None:
    if code in (0, 1):
        modes.motion = code
    elif code in (20, 21):
        modes.inches = code == 20
    elif code in (90, 91):
        modes.relative = code == 91
    elif code in (93, 94):
        modes.inverse_time = code == 93
        modes.feed = 0.0


def _rate(modes: Modes, values: dict[str, float], here: Point, target: Point) -> float:
    if modes.motion == 0:
        return float("inf")
    if modes.inverse_time:
        if values.get("F", 0.0) <= 0:
            raise LineError(22)
        return values["F"] * math.dist(here, target) / 60
    if modes.feed <= 0:
        raise LineError(22)
    return modes.feed / 60
