"""A stage on a controller with GRBL 1.1 or grblHAL.

Every move is a line of its own, followed by a short dwell, whose ok comes when the plate stands at the target. So there
is never more than one move in the controller: whatever becomes of this program, the plate goes to the next pose at
most, and a guard (grbl_guard.py) stops it before. Feed rates are given as inverse time (G93): moves a minute mean the
same on both firmwares, and whatever the units of the rotation are.
"""

import math
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from natadv.errors import DeviceError
from natadv.raindrops.pose import Pose
from rigs.clock import Clock
from rigs.room import Room
from rigs.stage.grbl_greeting import greet, reset
from rigs.stage.grbl_home import Left
from rigs.stage.grbl_link import JOG_CANCEL, GrblLink, RestartedError
from rigs.stage.grbl_ping import measure
from rigs.stage.grbl_port import HOLD
from rigs.stage.grbl_setup import Controller, GrblSettings, set_up
from rigs.stage.grbl_track import Track
from rigs.stage.grbl_words import Status
from rigs.stage.outputs import Output
from rigs.stage.profile import Limits, Move

_DWELL_S = 0.01
_SYNC = f"G4P{_DWELL_S:g}"
_OK_CHARS = 4
_LATE_S = 2.0
_ENDS_S = 5.0
"""A path whose controller was reset ends at once; on a machine that does not get to it, later."""
_UNSURE_S = 3.0
"""Longer than who stops in an emergency waits: a stage that is not known to stand has not obeyed."""
_SLACK = 1e-6
_OFF_PATH_REPORTS = 2


class GrblStageSettings(GrblSettings):
    """A stage's block with `kind: grbl`."""

    kind: Literal["grbl"]

    def open(self, room: Room) -> "GrblStage":
        """Open the port, see that the controller is set up as it is said here, home it and go to the plate's home.

        Raises:
            ConnectError: if nothing that speaks GRBL 1.1 is there.
            SettingError: if a `$` setting of the controller is not as it is said here.
            DeviceError: if it fails on the way.
        """

        def emergency() -> None:
            room.operator.cancel()
            link.fail(DeviceError(f"{self.where}: emergency stop"), at_once=True)
            link.rest(_UNSURE_S)

        link = GrblLink(os.path.expandvars(self.port), self.baud, room.clock, self.silence_s, self.brake_s)
        with room.stops.reaching(emergency):
            try:
                greet(link, self.boot_s)
                measure(link)
                controller = set_up(link, self, room.operator)
                stage = GrblStage(self, link, controller, room.clock)
            except BaseException:
                # It may be homing, which a hold does not end.
                link.fail(DeviceError(f"{self.where}: its opening was broken off"), at_once=True)
                link.close()
                raise
            try:
                stage.go_home()
            except BaseException:
                stage.close()
                raise
        return stage


@dataclass(slots=True)
class _Journey:
    """A path that is being followed.

    Attributes:
        given_up: no further line of it is to be sent.
        ended: its thread is done.
    """

    path: list[Pose]
    given_up: bool = False
    ended: threading.Event = field(default_factory=threading.Event)


class GrblStage:
    """A `Stage` behind a port; its controller's outputs may drive a sprayer.

    Attributes:
        controller: what it is.
    """

    def __init__(self, settings: GrblSettings, link: GrblLink, controller: Controller, clock: Clock) -> None:
        self.controller = controller
        self._settings = settings
        self._link = link
        self._clock = clock
        self._axes = controller.axes
        self._limits: Limits = settings.limits
        self._journey: _Journey | None = None
        self._stopping = threading.RLock()
        self._holding = False
        self._jogging_since_s: float | None = None  # by when its line was understood; infinite until it was
        self._jog_answered = threading.Event()
        self._open_valve = False
        self._last_stop = object()  # another one after each stop
        self._left = False
        self._off_path = 0
        here = self._read_pose()
        self._reported = here
        self._track = Track(here, clock.now_s(), settings.pose_within_mm, settings.pose_within_deg)
        link.on_status = self._hear
        link.watch(True)

    def _read_pose(self, wanted: Callable[[Status], bool] = lambda _: True) -> Pose:
        status = self._link.report(_LATE_S, lambda status: status.machine is not None and wanted(status))
        if status.state == "Alarm" or status.machine is None:
            raise DeviceError(f"{self._settings.where}: in alarm, so it has to be homed; begin anew")
        return self._axes.pose(status.machine)

    def _hear(self, status: Status, asked_s: float, heard_s: float) -> None:
        """Take a report; in the link's thread."""
        where = self._settings.where
        if status.state in ("Alarm", "Door", "Sleep", "Check"):
            self._link.fail(DeviceError(f"{where}: reports {status.state}; look at the stage, then begin anew"))
        elif status.state == "Hold" and not self._holding:
            self._link.fail(DeviceError(f"{where}: was held, by its own button or another program; begin anew"))
        elif status.machine is not None:
            self._reported = self._axes.pose(status.machine)
            if self._jogging_since_s is not None:
                if status.state == "Idle" and asked_s > self._jogging_since_s:
                    self._track.settle(self._reported, heard_s)
                    self._jogging_since_s = None
            elif self._track.hear(self._reported, asked_s, heard_s):
                self._off_path = 0
            else:  # one report may be garbled, two alike are not
                self._off_path += 1
                if self._off_path >= _OFF_PATH_REPORTS:
                    self._link.fail(DeviceError(f"{where}: is not where it was sent, but at {self._reported}; home it"))

    # What every stage does.

    def follow(self, path: Sequence[Pose]) -> None:
        """Begin to visit these poses in turn, with a stop at each; what it did before is stopped first.

        Raises:
            ValueError: if a pose is out of its travel; it does not move then.
            DeviceError: if the stage has failed.
        """
        for pose in path:
            self._check_travel(pose)
        self._link.check()
        self.stop()
        self._link.check()
        if path:
            self._begin(list(path))

    def _check_travel(self, pose: Pose) -> None:
        radius_mm = math.hypot(pose.x_mm, pose.y_mm)
        inside = radius_mm <= self._settings.travel_mm + _SLACK
        if not (inside and abs(pose.angle_deg) <= self._settings.travel_deg + _SLACK):  # a NaN is not inside either
            raise ValueError(f"{pose} is out of the stage's travel")

    def _begin(self, path: list[Pose]) -> _Journey:
        journey = self._journey = _Journey(path)
        threading.Thread(target=self._travel, args=(journey,), name="grbl path", daemon=True).start()
        return journey

    def pose(self) -> Pose | None:
        """Return where the plate most likely is now; while it brakes or jogs, where it was last said to be.

        Raises:
            DeviceError: if the stage has failed; so do the next two.
        """
        self._link.check()
        return self._track.guess_at(self._clock.now_s()) or self._reported

    def pose_at(self, time_s: float) -> Pose | None:
        """Return where the plate was at a moment; None where that is not known to within the settings' bounds."""
        self._link.check()
        return self._track.pose_at(time_s)

    def is_moving(self) -> bool:
        """Return whether the end of the path is still to be reached."""
        self._link.check()
        journey = self._journey
        return self._jogging_since_s is not None or (journey is not None and not journey.ended.is_set())

    def stop(self) -> None:
        """Bring the plate to rest, shut all outputs if one is open, and return then. Never raises.

        Where it has failed, it returns when all was done that can be; `is_at_rest` says whether that was enough.
        """
        self._last_stop = object()
        try:
            with self._stopping:
                if self._link.failure is None:
                    self._stop()
        except DeviceError as error:
            self._link.fail(error)
        if self._link.failure is not None:
            self._link.rest()

    def is_at_rest(self) -> bool:
        """Return whether it is certain that the plate stands; it may still move where the controller is not heard."""
        if self._link.failure is not None:
            return self._link.rest()
        journey = self._journey
        return self._jogging_since_s is None and (journey is None or journey.ended.is_set())

    def close(self) -> None:
        """Stop and let the port go; may be called twice."""
        self.stop()
        if not self._left:
            self._left = True
            home = self._axes.place(Pose())
            begin, end = (self._axes.place(pose) for pose in self._track.last_way)
            self._settings.leave(Left(home, begin, end))
        self._link.watch(False)
        self._link.close()

    # How it is done.

    def go_home(self) -> None:
        """Go to the plate's home, and return when it is there.

        Raises:
            DeviceError: if the stage has failed.
        """
        self._begin([Pose()]).ended.wait()  # each of its lines is answered in time, or it ends
        self._link.check()

    def _travel(self, journey: _Journey) -> None:
        """Visit a journey's poses; in a thread of its own."""
        try:
            for pose in journey.path:
                self._move(journey, Move.between(self._track.last, pose, self._limits))
        except RestartedError as error:
            if not journey.given_up:
                self._link.fail(error)
        except DeviceError as error:
            self._link.fail(error)
        finally:
            journey.ended.set()

    def _move(self, journey: _Journey, move: Move) -> None:
        if not move.duration_s:
            return
        link, axes = self._link, self._axes
        # At the rate of a move so long that it cruises: the controller finds the triangle of a short one itself.
        per_minute = 60 * min(
            speed / distance for distance, speed in self._distances(move.start, move.end) if distance > 0
        )
        line = f"G21G90G53G93G1{axes.words(move.end)}F{per_minute:.4f}"

        def before(sent_s: float) -> bool:
            if journey.given_up:
                return False
            self._track.begin(move, sent_s, link.char_s * len(line))
            return True

        ok_s = link.char_s * _OK_CHARS
        self._track.begun(link.command(line, before=before).heard_s - ok_s)
        sync = link.command(_SYNC, move.duration_s + _LATE_S, before=lambda _: not journey.given_up)
        self._track.ended(sync.heard_s - ok_s - _DWELL_S)

    def _distances(self, start: Pose, end: Pose) -> tuple[tuple[float, float], ...]:
        """Return how far each axis goes, and its highest speed."""
        limits = self._limits
        return (
            (abs(end.x_mm - start.x_mm), limits.speed_mm_per_s),
            (abs(end.y_mm - start.y_mm), limits.speed_mm_per_s),
            (abs(end.angle_deg - start.angle_deg), limits.speed_deg_per_s),
        )

    def _stop(self) -> None:
        journey = self._journey
        if self._jogging_since_s is not None:
            # A line that has not been read yet would begin after it was cancelled.
            self._jog_answered.wait(_LATE_S)
            self._link.now(JOG_CANCEL)
            self._link.report(self._settings.brake_s + _LATE_S, lambda status: status.state == "Idle")
        if self._open_valve:
            reset(self._link)
        if journey is None or journey.ended.is_set():
            return
        journey.given_up = self._holding = True
        try:
            self._link.now(HOLD)
            self._track.hold(self._clock.now_s())
            self._link.report(
                self._settings.brake_s + _LATE_S,
                lambda status: status.settled and status.state in ("Hold", "Idle"),
            )
            reset(self._link)
            rest = self._read_pose()
        finally:
            self._holding = False
        if not journey.ended.wait(_ENDS_S):
            raise DeviceError(f"{self._settings.where}: its path goes on after a reset; begin anew")
        self._track.settle(rest, self._clock.now_s())

    def jog(self, pose: Pose) -> None:
        """Begin to go to a pose by a jog, which `stop` ends without a reset; on the way poses are not known exactly.

        Raises:
            ValueError: if the pose is out of its travel.
            DeviceError: if the stage moves already, or has failed.
        """
        self._check_travel(pose)
        if self.is_moving():
            raise DeviceError(f"{self._settings.where}: moves already; stop it before it jogs")
        start = self._track.last
        ways = [(distance, speed) for distance, speed in self._distances(start, pose) if distance > 0]
        if not ways:
            return
        a, b = self._axes.machine(start), self._axes.machine(pose)
        rate = min(speed / distance for distance, speed in ways) * math.dist(tuple(a.values()), tuple(b.values()))

        def before(sent_s: float) -> bool:
            self._track.hold(sent_s)
            self._jog_answered.clear()
            self._jogging_since_s = math.inf
            return True

        try:
            answer = self._link.command(f"$J=G21G90G53{self._axes.words(pose)}F{60 * rate:.3f}", before=before)
            # Idle in a report that was asked for before may be from before it began.
            self._jogging_since_s = answer.heard_s
        except DeviceError as error:
            self._link.fail(error)
            raise
        finally:
            self._jog_answered.set()

    # What hangs on its controller: it is an `Outputs`.

    @property
    def has_mist(self) -> bool:
        """Whether there is M7 beside M8."""
        return self.controller.mist

    def pulse(self, output: Output, duration_s: float, wanted: Callable[[], bool] = lambda: True) -> None:
        """Switch an output on for a while, and return when it is off again.

        The controller has all lines before the first is done, so it switches off by itself whatever becomes of us.

        Raises:
            DeviceError: if the stage moves or has failed, `stop` comes before the pulse's end, or it is not `wanted`.
        """
        last_stop = self._last_stop
        if self.is_moving():
            raise DeviceError(f"{self._settings.where}: the stage moves; its outputs are switched while it rests")
        self._open_valve = True
        try:
            self._link.program(
                [output, f"G4P{duration_s:.3f}", "M9"],
                duration_s + _LATE_S,
                before=lambda _: self._last_stop is last_stop and wanted(),
            )
        except BaseException:
            self.stop()
            raise
        finally:
            self._open_valve = False

    def shut(self) -> None:
        """Shut the output of a pulse that is under way in another thread. Never raises."""
        if self._open_valve:
            self.stop()
