"""Where the plate was at any moment, to fractions of a millimetre, though the controller tells it five times a second.

Between two rests the controller moves as its settings say: a trapezoid of speed, known to the last digit. Unknown is
only when it began. It cannot have begun before its line was sent, nor after the line's ok was heard, nor so late that
the ok after its end came too early; a report says where it was between question and answer. What all of them leave is a
window, usually of a millisecond; the best guess in it gives the pose, its edges say how wrong that may be.
"""

import math
import threading
from collections import deque
from dataclasses import dataclass

from natadv.raindrops.pose import Pose
from rigs.stage.profile import Move

_KEPT = 4096
_RESOLUTION = 0.03
"""Steps and roundings, in mm and degrees."""
_LOST = 0.5
"""A plate so far off its path, in mm or degrees, is not where it was sent."""
_ROUNDS = 50


@dataclass(slots=True)
class _Leg:
    """A move and when it began.

    Attributes:
        earliest_s: it did not begin before.
        latest_s: nor after; infinite while that is not known.
        usual_s: when it begins if nothing is late.
        hold_s: when it was asked to stop; infinite if it was not.
        brake_s: when, after its beginning, it began to brake for that; None while that is not known.
    """

    move: Move
    earliest_s: float
    usual_s: float
    latest_s: float = math.inf
    hold_s: float = math.inf
    brake_s: float | None = None

    @property
    def start_s(self) -> float:
        return min(max(self.usual_s, self.earliest_s), self.latest_s)

    def narrow(self, earliest_s: float, latest_s: float) -> None:
        """Take what a report says, unless it contradicts what is known: then it is a garbled one."""
        earliest_s, latest_s = max(earliest_s, self.earliest_s), min(latest_s, self.latest_s)
        if earliest_s <= latest_s:
            self.earliest_s, self.latest_s = earliest_s, latest_s

    def pose_from(self, start_s: float, time_s: float) -> Pose:
        """Return the pose at a moment if it began at `start_s`."""
        passed_s = time_s - start_s
        if self.brake_s is None or passed_s < self.brake_s:
            return self.move.pose_at(passed_s)
        return self.move.pose_of(_braked(self.move, self.brake_s, passed_s - self.brake_s))


def _share(move: Move, pose: Pose) -> tuple[float, float]:
    """Return how much of a move is done at the point of it that is nearest to a pose, and how far off that is."""
    a, b = move.start, move.end
    way = (b.x_mm - a.x_mm, b.y_mm - a.y_mm, b.angle_deg - a.angle_deg)
    gone = (pose.x_mm - a.x_mm, pose.y_mm - a.y_mm, pose.angle_deg - a.angle_deg)
    length = sum(part * part for part in way)
    done = sum(p * q for p, q in zip(way, gone, strict=True)) / length if length else 0.0
    done = min(max(done, 0.0), 1.0)
    return done, max(abs(q - done * p) for p, q in zip(way, gone, strict=True))


def _braked(move: Move, brake_s: float, passed_s: float) -> float:
    """Return the share done, `passed_s` after the move began to brake at its `brake_s`."""
    rate = move.rate_at(brake_s)
    done = _done(move, brake_s)
    if not rate:
        return done
    slowing = move.rate / move.rise_s
    passed_s = min(max(passed_s, 0.0), rate / slowing)
    return min(done + rate * passed_s - slowing * passed_s**2 / 2, 1.0)


def _done(move: Move, time_s: float) -> float:
    return _share(move, move.pose_at(time_s))[0]


class Track:
    """The last minutes of a plate's motion; safe to use from several threads.

    Args:
        pose: where it rests.
        time_s: since when, by the rig's clock.
        within_mm: a pose that may be more wrong than this is not given.
        within_deg: nor one whose angle may be more wrong than this.
    """

    def __init__(self, pose: Pose, time_s: float, within_mm: float, within_deg: float) -> None:
        self._within_mm, self._within_deg = within_mm, within_deg
        self._lock = threading.Lock()
        self._legs: deque[_Leg] = deque(maxlen=_KEPT)
        self._reaction_s = 0.0
        self.rest(pose, time_s)

    @property
    def last(self) -> Pose:
        """Where the last move ends."""
        with self._lock:
            return self._legs[-1].move.end

    @property
    def last_way(self) -> tuple[Pose, Pose]:
        """Where the last move begins and ends."""
        with self._lock:
            return self._legs[-1].move.start, self._legs[-1].move.end

    def rest(self, pose: Pose, time_s: float) -> None:
        """Let it rest at a pose from a moment on."""
        with self._lock:
            self._legs.append(_Leg(Move(pose, pose, 0.0, 0.0, 0.0), time_s, time_s, time_s))

    def begin(self, move: Move, sent_s: float, wire_s: float) -> None:
        """Let it begin a move from rest, whose line, sent now, takes `wire_s` to reach the controller."""
        with self._lock:
            reached_s = sent_s + wire_s
            self._legs.append(_Leg(move, reached_s, reached_s + self._reaction_s))

    def begun(self, latest_s: float) -> None:
        """Note that the last move has begun by a moment."""
        with self._lock:
            leg = self._legs[-1]
            # Half of the shortest window of late is how long it usually takes.
            width_s = max(latest_s - leg.earliest_s, 0.0)
            self._reaction_s = width_s / 2 if not self._reaction_s else min(1.05 * self._reaction_s, width_s / 2)
            if leg.latest_s == math.inf:
                leg.usual_s = leg.earliest_s + self._reaction_s
            leg.latest_s = min(leg.latest_s, latest_s)
            leg.earliest_s = min(leg.earliest_s, leg.latest_s)

    def ended(self, latest_s: float) -> None:
        """Note that the last move has ended by a moment."""
        with self._lock:
            leg = self._legs[-1]
            leg.latest_s = min(leg.latest_s, latest_s - leg.move.duration_s)
            leg.earliest_s = min(leg.earliest_s, leg.latest_s)

    def hear(self, pose: Pose, asked_s: float, heard_s: float) -> bool:
        """Take a report that was true at some moment between two; return False if the plate is not on its path."""
        with self._lock:
            leg = self._legs[-1]
            if leg.hold_s < heard_s:
                return True
            done, off = _share(leg.move, pose)
            if asked_s < leg.earliest_s:  # it may be about the move before
                return True
            if off > _LOST:
                return False
            lengths = (
                abs(leg.move.end.x_mm - leg.move.start.x_mm),
                abs(leg.move.end.y_mm - leg.move.start.y_mm),
                abs(leg.move.end.angle_deg - leg.move.start.angle_deg),
            )
            if max(lengths) <= _RESOLUTION:
                return True
            blur = _RESOLUTION / max(lengths)
            soonest_s = leg.move.time_of(done - blur) if done > blur else -math.inf
            latest_s = leg.move.time_of(done + blur) if done < 1 - blur else math.inf
            leg.narrow(asked_s - latest_s, heard_s - soonest_s)
            return True

    def hold(self, time_s: float) -> None:
        """Note that it was asked to stop; until it has come to rest nobody knows where it is."""
        with self._lock:
            self._legs[-1].hold_s = min(self._legs[-1].hold_s, time_s)

    def settle(self, pose: Pose, time_s: float) -> None:
        """Note where it rests after a stop: that tells when it began to brake, and so where it was on the way."""
        with self._lock:
            leg = self._legs[-1]
            done, off = _share(leg.move, pose)
            if leg.hold_s < math.inf and off <= _LOST and leg.move.rate:
                low_s, high_s = 0.0, leg.move.duration_s
                for _ in range(_ROUNDS):
                    middle_s = (low_s + high_s) / 2
                    if _braked(leg.move, middle_s, math.inf) < done:
                        low_s = middle_s
                    else:
                        high_s = middle_s
                leg.brake_s = high_s
                leg.hold_s = math.inf
        self.rest(pose, time_s)

    def guess_at(self, time_s: float) -> Pose | None:
        """Return where the plate most likely was at a moment; None while it brakes."""
        with self._lock:
            leg = self._leg_at(time_s)
            return leg.pose_from(leg.start_s, time_s) if time_s <= leg.hold_s else None

    def _leg_at(self, time_s: float) -> _Leg:
        return next((leg for leg in reversed(self._legs) if leg.earliest_s <= time_s), self._legs[0])

    def pose_at(self, time_s: float) -> Pose | None:
        """Return where the plate was at a moment; None where that is not known well enough."""
        with self._lock:
            leg = self._leg_at(time_s)
            if time_s > leg.hold_s:
                return None
            pose = leg.pose_from(leg.start_s, time_s)
            # While it has not been heard that it began, it may not have.
            edges = leg.pose_from(leg.earliest_s, time_s), leg.pose_from(min(leg.latest_s, time_s), time_s)
            doubt_mm = max(math.hypot(pose.x_mm - edge.x_mm, pose.y_mm - edge.y_mm) for edge in edges)
            doubt_deg = max(abs(pose.angle_deg - edge.angle_deg) for edge in edges)
            return pose if doubt_mm <= self._within_mm and doubt_deg <= self._within_deg else None
