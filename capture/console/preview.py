"""Preview: a rig looked at before a session begins: focus, light, and where the picture lies. Nothing moves."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final

import cv2
import numpy as np

from capture.console.console import Console
from capture.control import Halted
from natadv.errors import DeviceError
from natadv.images import Image
from rigs.rig import Rig

_RETRY_S: Final = 2.0
_SIDE_PX: Final = 256


def preview(
    open_rig: Callable[[], AbstractContextManager[Rig]],
    console: Console,
    picture: Image,
    *,
    wait: Callable[[float], None] | None = None,
) -> bool:
    """Show what the camera sees until start was pressed, or the end was asked for.

    A rig that fails is opened again, as often as it takes; the page says why there is nothing to be seen.

    Args:
        open_rig: opens it.
        console: has the frames, and is asked whether to go on.
        picture: shown on the screen, uint8 RGB (h, w, 3).
        wait: waits so many seconds after a failure; None: by the console's control, which an end cuts short.

    Returns:
        Whether start was pressed.
    """
    wait = wait or console.control.wait
    while not console.over:
        try:
            with open_rig() as rig, console.control.holding(rig.stage, rig.sprayer):
                console.trouble = None
                rig.screen.show(picture)
                while not console.over:
                    console.tap.put(rig.camera.read())
        except DeviceError as error:
            console.trouble = str(error)
            wait(_RETRY_S)
        except Halted:
            break
    return console.started and console.control.standing not in ("stopping", "halted")


def chart() -> Image:
    """Return a picture to focus by: squares ever smaller towards the middle, and a ramp of greys below."""
    picture = np.full((_SIDE_PX, _SIDE_PX, 3), 127, np.uint8)
    for side, cell in ((240, 40), (160, 16), (80, 4)):
        low = (_SIDE_PX - side) // 2
        rows, columns = np.indices((side, side)) // cell
        picture[low : low + side, low : low + side] = np.where((rows + columns) % 2, 230, 25)[:, :, None]
    ramp = np.linspace(0, 255, _SIDE_PX).round().astype(np.uint8)
    picture[-24:] = ramp[None, :, None]
    return np.asarray(cv2.rectangle(picture, (0, 0), (_SIDE_PX - 1, _SIDE_PX - 1), (255, 255, 255), 1), np.uint8)
