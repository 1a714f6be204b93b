"""Outputs: what a stage's controller can switch besides its motors."""

from collections.abc import Callable
from typing import Literal, Protocol, runtime_checkable

Output = Literal["M7", "M8"]


@runtime_checkable
class Outputs(Protocol):
    """A stage whose controller has outputs for valves and blowers, each on for a while and then off."""

    @property
    def has_mist(self) -> bool:
        """Whether there is M7 beside M8."""
        ...

    def pulse(self, output: Output, duration_s: float, wanted: Callable[[], bool] = lambda: True) -> None:
        """Switch an output on for a while, and return when it is off again.

        Args:
            output: which.
            duration_s: for how long.
            wanted: asked in the last moment, when `shut` would already be heeded; False keeps it off.

        Raises:
            DeviceError: if the stage moves or has failed, or the pulse is cut short or not wanted.
        """
        ...

    def shut(self) -> None:
        """Switch off what another thread's pulse has switched on. Never raises."""
        ...
