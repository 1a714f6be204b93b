"""How a controller moves: a queue of straight blocks, planned ahead, at finite acceleration; and what was when.

As in GRBL, acceleration and speed along a block are those of the axis that allows least, corners are taken at the speed
that the junction deviation allows, and the last block ends at rest.
"""

import math
from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

_STEP_S = 0.00025
_NOTED_S = 0.001
_NOTES = 120_000
QUEUE_BLOCKS = 15

Point = tuple[float, ...]


@dataclass(slots=True)
class Block:
    """One straight move: speeds in units a second along it.

    Attributes:
        unit: its direction, of length 1.
        length: in mm, degrees counting as mm.
        nominal: highest speed along it.
        corner: highest speed at its beginning.
        exit: speed at its end, as planned now.
    """

    target: Point
    unit: Point
    length: float
    nominal: float
    acceleration: float
    corner: float
    exit: float = 0.0


class Motion:
    """The motors: advanced to a moment, asked where they are.

    Args:
        position: at the beginning, in the controller's own units.
        now_s: the moment of that.
    """

    def __init__(self, position: Point, now_s: float) -> None:
        self.position = position
        self.holding = False
        self.speed = 0.0
        self._queue: deque[Block] = deque()
        self._done = 0.0
        self._now_s = now_s
        self._noted_s = now_s
        self._times: list[float] = [now_s]
        self._places: list[Point] = [position]

    @property
    def idle(self) -> bool:
        """Whether no block is left."""
        return not self._queue

    @property
    def full(self) -> bool:
        """Whether another block has to wait."""
        return len(self._queue) >= QUEUE_BLOCKS

    @property
    def end(self) -> Point:
        """Where the last block ends."""
        return self._queue[-1].target if self._queue else self.position

    def add(
        self, target: Point, rate: float, rates: Sequence[float], accelerations: Sequence[float], deviation: float
    ) -> None:
        """Queue a block to `target`.

        Args:
            target: end of the block.
            rate: speed along it that was asked for, in units a second.
            rates: highest speed of each axis, in units a second.
            accelerations: of each axis, in units a second squared.
            deviation: how far a corner may be cut.
        """
        away = [b - a for a, b in zip(self.end, target, strict=True)]
        length = math.hypot(*away)
        if length < 1e-6:
            return
        unit = tuple(part / length for part in away)
        shares = [(abs(part), number) for number, part in enumerate(unit) if abs(part) > 1e-9]
        acceleration = min(accelerations[number] / share for share, number in shares)
        nominal = min(rate, *(rates[number] / share for share, number in shares))
        corner = 0.0
        if self._queue:
            last = self._queue[-1]
            corner = min(_corner_speed(last, unit, acceleration, deviation), nominal, last.nominal)
        self._queue.append(Block(target, unit, length, nominal, acceleration, corner))
        self._plan()

    def _plan(self) -> None:
        """Lower every block's end to what those after it can still brake from."""
        entry = 0.0
        for block in reversed(self._queue):
            block.exit = entry
            entry = min(block.corner, math.sqrt(entry**2 + 2 * block.acceleration * block.length))

    def clear(self) -> None:
        """Stand still, here and now, whatever was planned."""
        self._queue.clear()
        self._done = self.speed = 0.0
        self.holding = False
        self._note()

    def place(self, position: Point) -> None:
        """Count from another position on; the motors do not move."""
        self.clear()
        self.position = position
        self._note()

    def advance(self, now_s: float) -> None:
        """Run to a moment."""
        while now_s - self._now_s > _STEP_S:
            if not self._queue or (self.holding and self.speed == 0.0):
                self._now_s = now_s
                return
            if self._now_s - self._noted_s >= _NOTED_S:
                self._note()
            self._now_s += _STEP_S
            self._run(_STEP_S)
            if not self._queue or self.speed == 0.0:
                self._note()

    def begin(self, now_s: float) -> None:
        """Note that the plate stood until now, where a block begins from rest."""
        self.advance(now_s)
        self._note()

    def _run(self, step_s: float) -> None:
        block = self._queue[0]
        left = block.length - self._done
        change = block.acceleration * step_s
        # The speed from which, after this step, it can still brake to that of the block's end.
        room = block.exit**2 + (change / 2) ** 2 + block.acceleration * (2 * left - self.speed * step_s)
        aim = 0.0 if self.holding else min(block.nominal, max(0.0, math.sqrt(max(0.0, room)) - change / 2))
        speed = min(max(aim, self.speed - change), self.speed + change)
        moved = (self.speed + speed) / 2 * step_s
        self.speed = speed
        if moved >= left or (left < change * step_s and not self.holding):
            self.position = block.target
            self._queue.popleft()
            self._done = 0.0
            if not self._queue:
                self.speed = 0.0
            return
        self._done += moved
        back = block.length - self._done
        self.position = tuple(end - part * back for end, part in zip(block.target, block.unit, strict=True))

    def _note(self) -> None:
        self._noted_s = self._now_s
        self._times.append(self._now_s)
        self._places.append(self.position)
        if len(self._times) > _NOTES:
            del self._times[: _NOTES // 2], self._places[: _NOTES // 2]

    def position_at(self, time_s: float) -> Point:
        """Return where the motors were at a moment of the last minutes."""
        if time_s >= self._now_s:
            return self.position
        times, places = [*self._times[-1:], self._now_s], [*self._places[-1:], self.position]
        if time_s < times[0]:
            times, places = self._times, self._places
        number = bisect_right(times, time_s)
        if number == 0:
            return places[0]
        before_s, after_s = times[number - 1], times[number]
        share = (time_s - before_s) / (after_s - before_s)
        return tuple(a + share * (b - a) for a, b in zip(places[number - 1], places[number], strict=True))


def _corner_speed(last: Block, unit: Point, acceleration: float, deviation: float) -> float:
    """Return the highest speed of a corner, from the circle that stays within `deviation` of it."""
    cosine = -sum(a * b for a, b in zip(last.unit, unit, strict=True))
    if cosine > 0.999999:
        return 0.0
    if cosine < -0.999999:
        return math.inf
    half = math.sqrt(0.5 * (1.0 - cosine))
    return math.sqrt(min(acceleration, last.acceleration) * deviation * half / (1.0 - half))
