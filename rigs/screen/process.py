"""`python -m rigs.screen.process FD`: the process that owns a screen's window.

Window toolkits want a process's main thread, and end the process when the display goes away. Here that ends nothing
but a window: whoever asked for it finds the line dead, and says so.

The line, FD, carries ("open", kind, settings as JSON), then ("show", image) and ("look",) again and again; answers are
("opened", warnings), ("shown", when), ("seen", a difference in words or None) or ("failed", name of the error, its
text). It ends with the line.
"""

import os
import signal
import sys
import time
from contextlib import ExitStack, closing
from multiprocessing.connection import Connection
from typing import Any, Final

import numpy as np

from natadv.errors import NatadvError, SettingError
from natadv.images import Image
from rigs.drivers import settings_of
from rigs.screen.desktop import Box, Desktop, find_monitor
from rigs.screen.painter import Painter
from rigs.screen.quiet import Quiet

_PUMP_S: Final = 0.02
_AGAIN_S: Final = 0.3
_FIRST_S: Final = 6.0  # a window has to be made, mapped and sized before it shows anything
_WINDOWS: Final = 3
_BUS: Final = "DBUS_SESSION_BUS_ADDRESS"


def main() -> None:
    """Serve one screen until the other end of the line is closed."""
    # Ctrl-C is for the session: its picture stays until that has stopped its devices.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    line: Connection[Any, Any] = Connection(int(sys.argv[1]))
    try:
        with ExitStack() as opened:
            try:
                shower = _opened(line, opened)
            except NatadvError as error:
                line.send(_failure(error))
                return
            while True:
                if not line.poll(_PUMP_S):
                    shower.painter.pump()
                    continue
                asked = line.recv()
                try:
                    if asked[0] == "look":
                        line.send(("seen", shower.changed()))
                    else:
                        line.send(("shown", shower.show(asked[1])))
                except NatadvError as error:
                    line.send(_failure(error))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return


def _failure(error: NatadvError) -> tuple[str, str, str]:
    return "failed", type(error).__name__, str(error)


def _opened(line: "Connection[Any, Any]", opened: ExitStack) -> "_Shower":
    _, kind, text = line.recv()
    settings: Any = settings_of("screen", {"kind": kind}).model_validate_json(text)
    desktop = opened.enter_context(closing(Desktop(settings.display)))
    monitor = find_monitor(desktop, settings.monitor, settings.box)
    quiet = opened.enter_context(closing(Quiet(os.environ.get(_BUS))))
    said = [line for line in (desktop.hide_pointer(), desktop.keep_awake(), *quiet.refused) if line]
    shower = _first_shown(settings, desktop, monitor.box, opened)
    line.send(("opened", said))
    return shower


def _first_shown(settings: Any, desktop: Desktop, box: Box, opened: ExitStack) -> "_Shower":
    """Make a window and show the ground, by a window made anew if that does not come.

    On a display that was started a moment ago, some windows are there, mapped and sized, and never draw (4 of 42 of
    OpenCV's, by Qt, on a busy machine).

    Raises:
        SettingError: if none shows it.
    """
    for left in reversed(range(_WINDOWS)):
        with ExitStack() as making:
            shower = _Shower(settings, desktop, box, making.enter_context(closing(settings.painter())))
            try:
                shower.put(settings.layout.empty(), _FIRST_S)
            except SettingError:
                if not left:
                    raise
                continue
            opened.push(making.pop_all())
            break
    return shower


class _Shower:
    """Shows pictures and reads them back."""

    def __init__(self, settings: Any, desktop: Desktop, box: Box, painter: Painter) -> None:
        self._settings = settings
        self._desktop = desktop
        self._box = box
        self.painter = painter
        self._shown: Image | None = None

    def show(self, image: Image) -> float:
        """Show a picture; return when it had been handed over, or flipped to."""
        layout = self._settings.layout
        layout.check(image.shape[:2], uneven=self._settings.uneven)
        return self.put(layout.drawn(image), self._settings.appear_s)

    def changed(self) -> str | None:
        """Return what is no longer on the display as it was painted; None where all is, or nobody wants to know."""
        if self._shown is None or not self._settings.check_pixels:
            return None
        got = self._desktop.pixels(self._box)
        return None if np.array_equal(got, self._shown) else _difference(self._shown, got)

    def put(self, pixels: Image, within_s: float) -> float:
        """Paint the monitor's pixels; return when they are on the display, as read back from it."""
        painted_s = self.painter.paint(pixels)
        self._shown = pixels
        if not self._settings.check_pixels:
            return painted_s
        end_s = time.monotonic() + within_s
        again_s = time.monotonic() + _AGAIN_S
        while True:
            got = self._desktop.pixels(self._box)
            if np.array_equal(got, pixels):
                return painted_s
            if time.monotonic() > end_s:
                raise SettingError(_difference(pixels, got))
            self.painter.pump()
            if time.monotonic() > again_s:  # what is painted while a window is being mapped and sized may be lost
                painted_s = self.painter.paint(pixels)
                again_s = time.monotonic() + _AGAIN_S


def _difference(asked: Image, got: Image) -> str:
    other = (asked != got).any(2)
    y, x = (int(place[0]) for place in np.nonzero(other))
    return (
        f"screen: {np.count_nonzero(other)} of {other.size} pixels are not what was shown, the first at ({x}, {y}): "
        f"{tuple(asked[y, x].tolist())} asked, {tuple(got[y, x].tolist())} got; "
        "take away what lies over the window, scaling, night light and effects"
    )


if __name__ == "__main__":
    main()
