"""Room: what the devices of one rig share while they are open."""

from dataclasses import dataclass, field

from natadv.errors import ConfigError
from rigs.bench import Bench
from rigs.clock import Clock
from rigs.geometry import ScreenGeometry
from rigs.operator import Operator, TerminalOperator
from rigs.stops import Stops


@dataclass(frozen=True, slots=True)
class Room:
    """The clock by which all frames and poses are stamped, and, where devices are simulated, the world they are in.

    Attributes:
        clock: the rig's time.
        world: None where nothing is simulated.
        geometry: where the shown picture lies in the camera's frames; None until the rig has been calibrated.
        operator: the person who does what no device does.
        stops: what an emergency stop reaches while the rig is being opened.
    """

    clock: Clock
    world: Bench | None = None
    geometry: ScreenGeometry | None = None
    operator: Operator = field(default_factory=TerminalOperator)
    stops: Stops = field(default_factory=Stops)

    def bench(self, device: str) -> Bench:
        """Return the world for a device that needs one.

        Raises:
            ConfigError: if there is none.
        """
        if self.world is None:
            raise ConfigError(f"{device}: is simulated, so the rig's file needs a `bench:` block; see simulated.yaml")
        return self.world

    def picture(self, device: str) -> ScreenGeometry:
        """Return the geometry for a device that needs it.

        Raises:
            ConfigError: if it is not known.
        """
        if self.geometry is None:
            raise ConfigError(f"{device}: needs to know where the screen is: natadv rig calibrate RIG")
        return self.geometry
