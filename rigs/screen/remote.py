"""RemoteScreen: a `Screen` whose window lives in a process of its own."""

import logging
import threading
from typing import Any, Final

import numpy as np

from natadv import errors
from natadv.errors import DeviceError, NatadvError
from natadv.images import Image
from rigs.helper import Helper
from rigs.screen.pixels import MonitorSettings

_OPEN_S: Final = 30.0
# Toolkits are to draw on X, whose pixels can be read back, and to scale nothing.
_PLAIN: Final = {"QT_QPA_PLATFORM": "xcb", "QT_AUTO_SCREEN_SCALE_FACTOR": "0", "QT_SCALE_FACTOR": "1"}

_log = logging.getLogger(__name__)


class RemoteScreen:
    """A `Screen`; see rigs/screen/process.py for the process.

    Attributes:
        flipped_s: when the picture had been handed to the display (`window`) or flipped to (`glfw`), by
            `time.monotonic`; None before the first.
    """

    def __init__(self, settings: MonitorSettings) -> None:
        """Start the process and wait until the monitor shows its ground.

        Raises:
            ConnectError: if display or monitor is not there, or a library is missing.
            SettingError: if the monitor is another than the settings say, or shows other pixels.
            DeviceError: if the process fails otherwise.
        """
        self.flipped_s: float | None = None
        self._name = f"screen ({settings.kind})"
        self._answer_s = settings.appear_s + _OPEN_S
        self._turn = threading.Lock()
        self._helper = Helper("rigs.screen.process", name=self._name, display=settings.display, change=_PLAIN)
        try:
            _, warnings = self._ask("open", settings.kind, settings.model_dump_json())
        except BaseException:
            self.close()
            raise
        for warning in warnings:
            _log.warning(warning)

    def show(self, image: Image) -> None:
        """Show a picture, uint8 RGB (h, w, 3), and return when the display has it, pixel for pixel.

        Raises:
            SettingError: if it cannot be shown by whole pixels, or the display shows other ones.
            DeviceError: if the screen is closed or gone.
        """
        _, self.flipped_s = self._ask("show", np.ascontiguousarray(image))

    def changed(self) -> str | None:
        """Return what of the display is no longer as it was shown; None where all is, or `check_pixels` is off.

        Raises:
            DeviceError: if the screen is closed or gone.
        """
        _, difference = self._ask("look")
        return None if difference is None else str(difference)

    def close(self) -> None:
        """Close the window and end its process; may be called twice."""
        self._helper.close()

    def _ask(self, *question: Any) -> Any:
        with self._turn:
            self._helper.send(question)
            answer = self._helper.receive(self._answer_s)
        if answer is None:
            # What it might still say would be taken for the answer to the next question.
            self.close()
            raise DeviceError(f"{self._name}: no answer in {self._answer_s:g} s; is the display still there?")
        if answer[0] == "failed":
            kind = getattr(errors, answer[1])
            raise kind(answer[2]) if issubclass(kind, NatadvError) else DeviceError(answer[2])
        return answer
