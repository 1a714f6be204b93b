"""Tap: the newest frame that a session has read, for whoever wants to look; recording never waits for it."""

from rigs.frame import Frame


class Tap:
    """Holds the newest frame; any thread may look, at its own pace."""

    def __init__(self) -> None:
        self._newest: Frame | None = None

    def put(self, frame: Frame) -> None:
        """Take a frame in place of the last."""
        self._newest = frame

    @property
    def newest(self) -> Frame | None:
        """The newest frame, whole, as the camera gave it; None before the first. Its image must not be written to."""
        return self._newest
