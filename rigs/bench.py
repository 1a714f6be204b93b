"""The simulated world: one room in which the simulated screen, stage, sprayer and camera meet.

It knows what the screen shows, where the plate is, which drops sit on it and what time it is. The screen writes to
it, the stage moves the plate through it, the sprayer wets it, and the camera looks at it.
"""

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat

from natadv.raindrops.drops import DropParameters, Drops
from natadv.raindrops.pose import Pose
from rigs.clock import Clock
from rigs.panel import Panel
from rigs.projection import ScreenPlacement
from rigs.settings import Settings
from rigs.stage.blend import legs
from rigs.stage.profile import Journey, Limits, Move

# Turned further, the screen is seen from its edge or its back.
_Tilt = Annotated[float, Field(ge=-80, le=80)]


class BenchSettings(Settings):
    """The room: what stands where. Camera at 0, looking along z.

    Attributes:
        seed: of all chance until the first reseeding.
        screen_mm: distance from the camera to the middle of the screen.
        glass_mm: distance from the camera to the plate.
        screen_shift_x_mm: of the screen's middle, to the camera's right.
        screen_shift_y_mm: of the screen's middle, downwards.
        screen_yaw_deg: turn of the screen about the vertical axis; this and the next two within ±80.
        screen_pitch_deg: turn of the screen about the horizontal axis.
        screen_roll_deg: turn of the screen about the optical axis.
        ambient: linear light of the dark room, of the screen's white.
    """

    seed: NonNegativeInt = 0
    screen_mm: PositiveFloat = 600.0
    glass_mm: PositiveFloat = 200.0
    screen_shift_x_mm: float = 0.0
    screen_shift_y_mm: float = 0.0
    screen_yaw_deg: _Tilt = 0.0
    screen_pitch_deg: _Tilt = 0.0
    screen_roll_deg: _Tilt = 0.0
    ambient: NonNegativeFloat = 0.02

    @property
    def screen(self) -> ScreenPlacement:
        """How the screen stands before the camera."""
        return ScreenPlacement(
            self.screen_mm,
            self.screen_shift_x_mm,
            self.screen_shift_y_mm,
            self.screen_yaw_deg,
            self.screen_pitch_deg,
            self.screen_roll_deg,
        )


class Bench:
    """The state of the room; the devices share one.

    Attributes:
        settings: what stands where.
        clock: the room's time.
        drops: what sits on the plate now.
        chance: the room's source of chance.
    """

    def __init__(self, settings: BenchSettings, clock: Clock) -> None:
        self.settings = settings
        self.clock = clock
        self.drops = Drops.empty()
        self.chance = np.random.default_rng(settings.seed)
        self._wet_s = 0.0
        self._shown: list[tuple[float, Panel]] = []
        self._journey = Journey(0.0, (_rest(Pose()),))

    def reseed(self, seed: int | Sequence[int]) -> None:
        """Draw all chance from this seed on."""
        self.chance = np.random.default_rng(seed)

    def show(self, panel: Panel, at_s: float) -> None:
        """Let the screen change to `panel` at a moment of the clock."""
        now_s = self.clock.now_s()
        seen = [entry for entry in self._shown if entry[0] <= now_s]
        self._shown = [*seen[-1:], *(entry for entry in self._shown if entry[0] > now_s), (at_s, panel)]

    def panel_at(self, time_s: float) -> Panel | None:
        """Return what the screen shows at a moment; None while it is dark."""
        lit = [panel for at_s, panel in self._shown if at_s <= time_s]
        return lit[-1] if lit else None

    def carry(self, path: Sequence[Pose], limits: Limits, corner_s: float = 0.0) -> None:
        """Carry the plate from where it is through `path`; an empty path stops it.

        Args:
            path: poses to visit.
            limits: of the stage.
            corner_s: see rigs.stage.blend; 0: it stops at each pose.
        """
        now_s = self.clock.now_s()
        here = self.pose_at(now_s)
        if path and corner_s:
            self._journey = Journey(now_s, (*legs([here, *path], limits, corner_s), _rest(path[-1])))
        else:
            self._journey = Journey.along([here, *path], limits, now_s) if path else Journey(now_s, (_rest(here),))

    def pose_at(self, time_s: float) -> Pose:
        """Return where the plate is at a moment, as long as nobody gives it another path."""
        return self._journey.pose_at(time_s)

    @property
    def arrival_s(self) -> float:
        """When the plate reaches the end of its path."""
        return self._journey.end_s

    def wet(self, parameters: DropParameters, amount: float, duration_s: float) -> None:
        """Spray the plate for a while; what is on it has dried since the last spray."""
        self.clock.sleep(duration_s)
        now_s = self.clock.now_s()
        self.drops = self.drops.dried(now_s - self._wet_s).sprayed(self.chance, parameters, amount)
        self._wet_s = now_s

    def place(self, drops: Drops, duration_s: float) -> None:
        """Put these drops on the plate, and no others."""
        self.clock.sleep(duration_s)
        self.drops = drops
        self._wet_s = self.clock.now_s()

    def dry(self, duration_s: float) -> None:
        """Take all drops off the plate."""
        self.clock.sleep(duration_s)
        self.drops = Drops.empty()
        self._wet_s = self.clock.now_s()


def _rest(pose: Pose) -> Move:
    return Move(pose, pose, 0.0, 0.0, 0.0)
