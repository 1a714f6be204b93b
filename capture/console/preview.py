"""Preview: a rig looked at before a session begins: focus, light, and where the picture lies.

Nothing moves, but a stage that homes when it is opened.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final

import cv2
import numpy as np

from capture.console.console import Console
from capture.control import Halted
from natadv.errors import DeviceError
from natadv.images import Image
from rigs.rig import Rig, RigSettings

_RETRY_S: Final = 2.0
_LONGEST_S: Final = 60.0
_DETAIL: Final = ((15 / 16, 5 / 32), (5 / 8, 1 / 16), (5 / 16, 1 / 64))


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
    retry_s = _RETRY_S
    while not console.over:
        try:
            with open_rig() as rig, console.control.holding(rig.stage, rig.sprayer):
                console.trouble, retry_s = None, _RETRY_S
                rig.screen.show(picture)
                while not console.over:
                    console.tap.put(rig.camera.read())
        except DeviceError as error:
            console.trouble = str(error)
            wait(retry_s)
            retry_s = min(_LONGEST_S, 2 * retry_s)  # whatever is missing, a stage homes each time
        except Halted:
            break
    return console.started and console.control.standing not in ("stopping", "halted")


def opened(rig: RigSettings, console: Console) -> Callable[[], AbstractContextManager[Rig]]:
    """Return what opens a rig to be looked at on a console's page, within reach of its emergency stop."""
    return lambda: rig.open(realtime=True, operator=console.prompts, stops=console.control.stops)


def chart(side_px: int) -> Image:
    """Return a picture to focus by: squares ever smaller towards the middle, and a ramp of greys below.

    Args:
        side_px: of the square picture, at least 64.
    """
    picture = np.full((side_px, side_px, 3), 127, np.uint8)
    for share, cell in _DETAIL:
        low = round(side_px * (1 - share) / 2)
        high, cell_px = side_px - low, max(1, round(side_px * cell))
        rows, columns = np.indices((high - low, high - low)) // cell_px
        picture[low:high, low:high] = np.where((rows + columns) % 2, 230, 25)[:, :, None]
    ramp = np.linspace(0, 255, side_px).round().astype(np.uint8)
    picture[-(side_px * 3 // 32) :] = ramp[None, :, None]
    return np.asarray(cv2.rectangle(picture, (0, 0), (side_px - 1, side_px - 1), (255, 255, 255), 1), np.uint8)
