"""The greeting of a GRBL controller: what follows its reset, and says that nothing moves and all outputs are off.

Waiting for it never has the link's locks: who finds the port lost meanwhile needs them to say so.
"""

import contextlib
import time
from typing import Final, NoReturn

from natadv.errors import ConnectError, DeviceError
from rigs.stage.grbl_link import GrblLink, RestartedError
from rigs.stage.grbl_port import RESET

_RESET_S: Final = 2.0
_BOOT_POLL_S: Final = 0.3
_QUIET_S: Final = 0.1


def greet(link: GrblLink, timeout_s: float) -> None:
    """Reset a controller whose port was just opened, and wait until it has greeted for the last time.

    Raises:
        ConnectError: if nothing greets in `timeout_s`, or it does not come to an end with it.
        DeviceError: if it greets and then does not answer.
    """
    end_s = time.monotonic() + timeout_s
    while not link.greetings:
        link.now(RESET)
        link.await_change(lambda: link.greetings > 0, _BOOT_POLL_S)
        if not link.greetings and time.monotonic() > end_s:
            raise ConnectError(f"{link.name}: no GRBL greets there in {timeout_s:g} s; look at `port` and `baud`")
    # Of several resets that waited in a board that was starting, each has its greeting.
    heard = -1
    while link.greetings != heard:
        heard = link.greetings
        if link.await_change(lambda heard=heard: link.greetings > heard, _QUIET_S) and time.monotonic() > end_s:  # type: ignore[misc]
            _refuse(link, timeout_s)
    # The greeting may have been for an older reset, while the board still starts because its port was opened: what
    # it is sent then is lost, so it has greeted for the last time when it answers.
    while True:
        with contextlib.suppress(RestartedError):
            link.command("", max(_BOOT_POLL_S, end_s - time.monotonic()))
            break
        if time.monotonic() > end_s:
            _refuse(link, timeout_s)
    link.expecting = False


def _refuse(link: GrblLink, timeout_s: float) -> NoReturn:
    raise ConnectError(
        f"{link.name}: greets again and again for {timeout_s:g} s, as a board that restarts; "
        "look at its supply, its cable and `baud`"
    )


def reset(link: GrblLink, timeout_s: float = _RESET_S) -> None:
    """Reset the controller, and return when it greets again: no motion is planned then, all outputs are off.

    Raises:
        DeviceError: if it does not greet in time.
    """
    link.expecting = True
    try:
        before = link.greetings
        link.now(RESET)
        greeted = link.await_change(lambda: link.greetings > before, timeout_s)
        link.check()
        if not greeted:
            raise DeviceError(f"{link.name}: does not greet after a reset; switch the controller off and on")
    finally:
        link.expecting = False
