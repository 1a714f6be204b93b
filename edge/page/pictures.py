"""Pictures: the film of a run, each observation's frame with what was said of it."""

from collections.abc import Callable

from edge.events import Event
from edge.page.painting import jpeg
from edge.page.stream import Film
from edge.sinks import Observation


class Pictures(Film[tuple[Observation, str | None]]):
    """Paints the newest observation for whoever watches; a sink."""

    def __init__(self, trouble: Callable[[], str | None]) -> None:
        """Name who knows whether what was seen last is old news, and why."""
        super().__init__(self._seen, lambda seen: jpeg(*seen), name="pictures")
        self._trouble = trouble
        self._observation: Observation | None = None

    def write(self, observation: Observation) -> None:
        """Take an observation; it is not painted here."""
        self._observation = observation
        self.tell()

    def note(self, event: Event) -> None:
        """Leave events out: trouble is looked for."""

    def _seen(self) -> tuple[Observation, str | None] | None:
        observation = self._observation
        return None if observation is None else (observation, self._trouble())
