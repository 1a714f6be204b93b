"""An X display as a rig needs it: its monitors, the pixels that are on it, no pointer and no screen saver.

Spoken over a connection of its own, so that what is read back does not come from the toolkit that drew it. What is
asked of the server for the rig's sake (no pointer, no saver) it takes back itself when the connection ends, whatever
ends it: XScreenSaverSuspend (MIT-SCREEN-SAVER 1.1) and XFixesHideCursor (XFIXES 4) count a client's wishes.
"""

from dataclasses import dataclass
from typing import Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from natadv.errors import ConnectError, DeviceError, SettingError
from natadv.images import Image
from rigs.vendor import vendor

_ALL_PLANES: Final = 0xFFFFFFFF
_BGRX: Final = (24, 32, 0)  # depth, bits a pixel, byte order (least significant first)


@dataclass(frozen=True, slots=True)
class Box:
    """Whole pixels of a display, from (left, top) up to (left + width, top + height)."""

    left: int
    top: int
    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.width} × {self.height} at ({self.left}, {self.top})"


@dataclass(frozen=True, slots=True)
class Monitor:
    """A monitor of a display.

    Attributes:
        name: as the display calls it, `HDMI-1`; `screen` where it knows of no monitors.
        box: where it is on the desktop.
        primary: whether the desktop says that it is the first.
    """

    name: str
    box: Box
    primary: bool


class Desktop:
    """A connection to an X display."""

    def __init__(self, display: str | None) -> None:
        """Connect.

        Args:
            display: as `:0`; None for what the environment's DISPLAY names.

        Raises:
            ConnectError: if there is no such display, or xcffib is missing.
            SettingError: if its pixels are not 8-bit RGB.
        """
        self.name = f"display {display or '$DISPLAY'}"
        self._x: Any = vendor("xcffib", extra="screen", device=self.name)
        self._proto: Any = vendor("xcffib.xproto", extra="screen", device=self.name)
        try:
            self._connection = self._x.connect(display=display)
        except self._x.ConnectionException as error:
            raise ConnectError(f"{self.name}: cannot be opened; is it running, and may this user use it?") from error
        setup = self._connection.get_setup()
        self._root = setup.roots[self._connection.pref_screen]
        bits = {entry.depth: entry.bits_per_pixel for entry in setup.pixmap_formats}
        found = (self._root.root_depth, bits.get(self._root.root_depth), setup.image_byte_order)
        if found != _BGRX:
            self.close()
            raise SettingError(f"{self.name}: depth {found[0]}, 24 is needed for 8-bit RGB; start it with depth 24")

    def monitors(self) -> list[Monitor]:
        """Return what is plugged in.

        Raises:
            DeviceError: if the display is gone.
        """
        randr = self._extension("randr")
        if randr is None:
            return [self._whole()]
        reply = self._ask(lambda: randr.GetMonitors(self._root.root, True).reply())
        found = []
        for entry in reply.monitors:
            name = self._ask(lambda atom=entry.name: self._connection.core.GetAtomName(atom).reply())
            box = Box(entry.x, entry.y, entry.width, entry.height)
            found.append(Monitor(bytes(name.name.buf()).decode(), box, bool(entry.primary)))
        return found or [self._whole()]

    def pixels(self, box: Box) -> Image:
        """Return what is on the display now, uint8 RGB (h, w, 3).

        Raises:
            DeviceError: if the display is gone, or the box reaches out of it.
        """
        image_format = self._proto.ImageFormat.ZPixmap

        def grab() -> bytes:
            answer = self._connection.core.GetImage(
                image_format, self._root.root, box.left, box.top, box.width, box.height, _ALL_PLANES
            )
            answer.reply_type = _samples
            return cast(bytes, answer.reply())

        bgrx: NDArray[np.uint8] = np.frombuffer(self._ask(grab), np.uint8).reshape(box.height, box.width, 4)
        return np.ascontiguousarray(bgrx[..., 2::-1])

    def check_alive(self) -> None:
        """Make sure that the display is still there.

        Raises:
            DeviceError: if it is gone.
        """
        self._ask(lambda: self._connection.poll_for_event())  # noqa: PLW0108  # None when closed, which _ask says

    def hide_pointer(self) -> str | None:
        """Hide the pointer until the connection ends; return what to do where that cannot be had."""
        xfixes = self._extension("xfixes")
        if xfixes is None:
            return f"{self.name}: cannot hide the pointer; move it off the picture"
        self._ask(lambda: xfixes.QueryVersion(4, 0).reply())
        self._ask(lambda: xfixes.HideCursor(self._root.root, is_checked=True).check())
        return None

    def keep_awake(self) -> str | None:
        """Keep saver and power saving off until the connection ends; return what to do where that cannot be had."""
        saver = self._extension("screensaver")
        if saver is None:
            return f"{self.name}: cannot hold its screen saver off; switch saver and power saving off yourself"
        self._ask(lambda: saver.QueryVersion(1, 1).reply())
        self._ask(lambda: saver.Suspend(1, is_checked=True).check())
        return None

    def close(self) -> None:
        """Disconnect; may be called twice."""
        if self._connection is not None:
            self._connection.disconnect()
            self._connection = None

    def _whole(self) -> Monitor:
        return Monitor("screen", Box(0, 0, self._root.width_in_pixels, self._root.height_in_pixels), True)

    def _extension(self, name: str) -> Any:
        """Return an extension of the server, None if it has not got it."""
        module = vendor(f"xcffib.{name}", extra="screen", device=self.name)
        try:
            return self._ask(lambda: self._connection(module.key))
        except DeviceError:
            self.check_alive()
            return None

    def _ask(self, question: Any) -> Any:
        if self._connection is None:
            raise DeviceError(f"{self.name}: closed")
        try:
            answer = question()
            self._connection.invalid()
        except (self._x.ConnectionException, self._x.XcffibException) as error:
            raise DeviceError(f"{self.name}: gone; start it again, then go on with --resume") from error
        except self._x.Error as error:
            raise DeviceError(f"{self.name}: refuses ({type(error).__name__})") from error
        return answer


def _samples(reply: Any) -> bytes:
    """Return the samples of a GetImage reply; xcffib's own class makes a Python number of each, some millions."""
    (words,) = reply.unpack("=4xI24x")
    (samples,) = reply.unpack(f"={4 * words}s")
    return cast(bytes, samples)


def find_monitor(desktop: Desktop, name: str | None, box: Box) -> Monitor:
    """Return the monitor that a rig's file means, and make sure that it is as the file says.

    Args:
        desktop: where to look.
        name: of the monitor; None for the one that fills `box`.
        box: what the file says it fills.

    Raises:
        ConnectError: if there is no such monitor.
        SettingError: if it fills another part of the desktop.
    """
    there = desktop.monitors()
    seen = ", ".join(f"{monitor.name} {monitor.box}" for monitor in there)
    for monitor in there:
        if monitor.name == name or (name is None and monitor.box == box):
            if monitor.box != box:
                raise SettingError(
                    f"{desktop.name}: monitor {monitor.name}: {box} asked, {monitor.box} got; "
                    "set left_px, top_px, width_px and height_px to that, or the monitor to those"
                )
            return monitor
    raise ConnectError(f"{desktop.name}: no monitor {name or 'of ' + str(box)}; there is {seen}")
