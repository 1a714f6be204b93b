"""The `glfw` screen: a full-screen OpenGL window that changes its picture with the monitor's refresh, and says when."""

import time
from typing import Any, Literal

import numpy as np
from pydantic import PositiveInt

from natadv.errors import ConnectError, SettingError
from natadv.images import Image
from rigs.room import Room
from rigs.screen.painter import Painter
from rigs.screen.pixels import MonitorSettings
from rigs.screen.remote import RemoteScreen
from rigs.vendor import vendor


class GlfwSettings(MonitorSettings):
    """A monitor, by OpenGL.

    Attributes:
        swap_interval: refreshes of the monitor from one picture to the next, at least.
    """

    kind: Literal["glfw"]
    swap_interval: PositiveInt = 1

    def open(self, room: Room) -> RemoteScreen:
        """Open the window; it shows the ground."""
        return RemoteScreen(self)

    def painter(self) -> Painter:
        """Make the window; called in a process of its own."""
        return _Window(self)


class _Window:
    """A `Painter` by GLFW and OpenGL 1.4, whose DrawPixels knows no filter and no scale but the one it is told."""

    def __init__(self, settings: GlfwSettings) -> None:
        self._glfw: Any = vendor("glfw", extra="screen", device="glfw")
        self._gl: Any = vendor("OpenGL.GL", extra="screen", device="glfw")
        glfw = self._glfw
        glfw.set_error_callback(self._note)
        self._said = "no reason given"
        glfw.init_hint(glfw.PLATFORM, glfw.PLATFORM_X11)
        if not glfw.init():
            raise ConnectError(f"glfw: cannot start ({self._said})")
        monitor = self._find(settings)
        mode = glfw.get_video_mode(monitor)
        # Another mode than the present one would change the monitor's resolution.
        for hint, value in (
            (glfw.RED_BITS, 8),
            (glfw.GREEN_BITS, 8),
            (glfw.BLUE_BITS, 8),
            (glfw.REFRESH_RATE, mode.refresh_rate),
            (glfw.AUTO_ICONIFY, glfw.FALSE),
        ):
            glfw.window_hint(hint, value)
        self._window = glfw.create_window(settings.width_px, settings.height_px, "natadv", monitor, None)
        if not self._window:
            raise ConnectError(f"glfw: no window on the monitor ({self._said}); is OpenGL installed?")
        glfw.set_input_mode(self._window, glfw.CURSOR, glfw.CURSOR_HIDDEN)
        glfw.make_context_current(self._window)
        glfw.swap_interval(settings.swap_interval)
        size = glfw.get_framebuffer_size(self._window)
        if tuple(size) != (settings.width_px, settings.height_px):
            raise SettingError(
                f"glfw: {settings.width_px} × {settings.height_px} pixels asked, {size[0]} × {size[1]} got; "
                "switch the desktop's scaling off"
            )
        for feature in (self._gl.GL_DITHER, self._gl.GL_BLEND, self._gl.GL_DEPTH_TEST):
            self._gl.glDisable(feature)
        self._gl.glPixelStorei(self._gl.GL_UNPACK_ALIGNMENT, 1)

    def paint(self, pixels: Image) -> float:
        """Draw the pixels and wait until they have been flipped to."""
        gl, glfw = self._gl, self._glfw
        height, width = pixels.shape[:2]
        gl.glWindowPos2i(0, 0)
        gl.glDrawPixels(width, height, gl.GL_RGB, gl.GL_UNSIGNED_BYTE, np.ascontiguousarray(pixels[::-1]))
        glfw.swap_buffers(self._window)
        gl.glFinish()  # returns when the flip has happened, not when it has been asked for
        flipped_s = time.monotonic()
        self.pump()
        return flipped_s

    def pump(self) -> None:
        """Run the toolkit's events."""
        self._glfw.poll_events()

    def close(self) -> None:
        """Close the window."""
        self._glfw.terminate()

    def _find(self, settings: GlfwSettings) -> Any:
        """Return GLFW's handle of the monitor that fills the settings' box."""
        box = settings.box
        for monitor in self._glfw.get_monitors():
            mode = self._glfw.get_video_mode(monitor)
            place = (*self._glfw.get_monitor_pos(monitor), mode.size.width, mode.size.height)
            if place == (box.left, box.top, box.width, box.height):
                return monitor
        raise ConnectError(f"glfw: sees no monitor of {box}")

    def _note(self, _: int, text: Any) -> None:
        self._said = text.decode() if isinstance(text, bytes) else str(text)
