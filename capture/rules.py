"""The rules of an unattended session, from YAML: when to record again, how long to wait for what, whom to tell."""

from typing import Annotated

from pydantic import Field, PositiveFloat, PositiveInt

from capture.notify import NotifySettings
from capture.watchdog import Limits
from rigs.session import Checks
from rigs.settings import Settings


class Reconnect(Settings):
    """How a rig that failed is opened again.

    Attributes:
        tries: failures one after the other, without a clip between, after which the session stops.
        first_s: wait before the first opening; each next one is twice as long.
        longest_s: wait.
    """

    tries: PositiveInt = 8
    first_s: PositiveFloat = 2.0
    longest_s: PositiveFloat = 300.0

    def wait_s(self, failures: int) -> float | None:
        """Return how long to wait after so many failures one after the other; None: it is given up."""
        return None if failures > self.tries else min(self.longest_s, self.first_s * 2 ** (failures - 1))


class Rules(Settings):
    """What `--rules` reads.

    Attributes:
        checks: kept with the session, which is gone on with by the same ones.
        memory_mb: of recorded images that may wait for the disk; one clip more is being recorded.
    """

    checks: Checks | None = None
    reconnect: Reconnect = Reconnect()
    limits: Limits = Limits()
    notify: NotifySettings = NotifySettings()
    memory_mb: Annotated[int, Field(ge=1)] = 1024
