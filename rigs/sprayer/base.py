"""What every sprayer does."""

from typing import Protocol, runtime_checkable

from natadv.raindrops.drops import Drops


class Sprayer(Protocol):
    """Whatever wets the plate and takes the water off again."""

    def spray(self, duration_s: float) -> None:
        """Wet the plate for `duration_s` seconds and return when the valve is shut again."""
        ...

    def dry(self) -> None:
        """Return when the plate is dry and clear: wiped, blown or changed."""
        ...

    def close(self) -> None:
        """Shut the valve and let the device go. Never raises, may be called twice."""
        ...


@runtime_checkable
class Placer(Sprayer, Protocol):
    """A sprayer that can put each drop where it is told; one with a nozzle cannot."""

    def place(self, drops: Drops, duration_s: float) -> None:
        """Wet the plate with these drops and no others, in `duration_s` seconds."""
        ...
