"""Where home is on a stage without switches: where a person has put the plate, as long as the controller counts on.

A controller that was not restarted still counts from where it did: after a soft reset at rest too. One that was counts
from zero, wherever the plate stands, and one in alarm has lost count. What cannot be told from that is asked for: a
plate whose place nobody knows is never moved.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from natadv.errors import DeviceError, SettingError
from rigs.operator import Operator
from rigs.stage.grbl_link import GrblLink

_NEAR = 0.5
"""In mm and degrees."""

Place = tuple[float, float, float]
"""Machine position: x, y, angle of the plate."""


@dataclass(frozen=True, slots=True)
class Left:
    """How a stage was left.

    Attributes:
        home: where the plate is at home.
        begin: it was left on the straight way from here, or
        end: to here.
    """

    home: Place
    begin: Place
    end: Place

    def counts_on(self, here: Place) -> bool:
        """Return whether a controller that says it is here has counted on since."""
        if not any(here):  # as after a restart
            return False
        way = [b - a for a, b in zip(self.begin, self.end, strict=True)]
        gone = [c - a for a, c in zip(self.begin, here, strict=True)]
        length = math.hypot(*way)
        done = sum(p * q for p, q in zip(way, gone, strict=True)) / length**2 if length else 0.0
        done = min(max(done, 0.0), 1.0)
        return all(abs(q - done * p) <= _NEAR for p, q in zip(way, gone, strict=True))


def kept_home(link: GrblLink, where: str, letters: Sequence[int], left: Left | None) -> Place | None:
    """Unlock the controller, and return where home is, if it has counted on since the stage was left; else None.

    Args:
        link: to a controller that has greeted.
        where: the stage, as errors name it.
        letters: places of x, y and angle in reports.
        left: how it was left by this process; None where it was not.

    Raises:
        SettingError: if it does not report its machine position.
        DeviceError: if it does not answer.
    """
    lost_count = link.report().state == "Alarm"
    link.command("$X")
    here = _place(link, where, letters)
    return left.home if left is not None and not lost_count and left.counts_on(here) else None


def asked_home(link: GrblLink, where: str, letters: Sequence[int], operator: Operator) -> Place:
    """Have the plate put at home by a person, and return where that is; the arguments are `kept_home`'s.

    Raises:
        SettingError, DeviceError: as `kept_home`, or if nobody says that it is there.
    """
    operator.ask(f"{where}: put the plate at home, by its mark; it counts as home where it stands then")
    link.check()
    return _place(link, where, letters)


def _place(link: GrblLink, where: str, letters: Sequence[int]) -> Place:
    status = link.report()
    if status.state == "Alarm":
        raise DeviceError(f"{where}: in alarm; look at the stage, then begin anew")
    if status.machine is None:
        raise SettingError(f"{where}: does not report its machine position; send $10=1")
    x, y, angle = (status.machine[number] for number in letters)
    return x, y, angle
