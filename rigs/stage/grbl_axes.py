"""Poses of the plate and positions of the machine: which axis is which, which way round, and where home is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from natadv.raindrops.pose import Pose

LETTERS = "XYZABC"
"""A controller's axes in the order of its reports and `$` settings."""

StraightAxis = Literal["X", "-X", "Y", "-Y"]
TurningAxis = Literal["Z", "-Z", "A", "-A"]


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis of the plate on the machine.

    Attributes:
        letter: of the machine's axis.
        scale: the machine's units for one mm or degree of the plate; negative where they run the other way.
        home: machine position where the plate is at home.
    """

    letter: str
    scale: float
    home: float

    @classmethod
    def named(cls, name: str, scale: float, home: float) -> "Axis":
        """Return the axis of a name as `X` or `-X`."""
        return cls(name[-1], -scale if name.startswith("-") else scale, home)

    @property
    def number(self) -> int:
        """Its place in reports."""
        return LETTERS.index(self.letter)


@dataclass(frozen=True, slots=True)
class Axes:
    """The plate's three axes: right, down, clockwise."""

    x: Axis
    y: Axis
    angle: Axis

    def machine(self, pose: Pose) -> dict[str, float]:
        """Return the machine position of a pose, by letter."""
        pairs = ((self.x, pose.x_mm), (self.y, pose.y_mm), (self.angle, pose.angle_deg))
        return {axis.letter: axis.home + axis.scale * value for axis, value in pairs}

    def place(self, pose: Pose) -> tuple[float, float, float]:
        """Return the machine position of a pose: x, y, angle."""
        machine = self.machine(pose)
        return machine[self.x.letter], machine[self.y.letter], machine[self.angle.letter]

    def words(self, pose: Pose) -> str:
        """Return the G-code words of a pose."""
        return "".join(f"{letter}{place:.3f}" for letter, place in self.machine(pose).items())

    def pose(self, machine: Sequence[float]) -> Pose:
        """Return the pose at a machine position."""
        x, y, angle = ((machine[axis.number] - axis.home) / axis.scale for axis in (self.x, self.y, self.angle))
        return Pose(x, y, angle)
