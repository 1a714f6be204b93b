"""What a service manager is told: systemd's sd_notify, one datagram each, without a library."""

import contextlib
import os
import socket
import time
from typing import Final

_EVERY_S: Final = 1.0  # a watchdog's limit is many seconds


def notify(state: str) -> None:
    """Send a state, as "READY=1", to the service manager that started this process, if one did."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    # A manager that cannot be reached, or has no time, is no reason to stop or wait; it will notice the silence itself.
    with (
        contextlib.suppress(OSError),
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK) as manager,
    ):
        manager.sendto(state.encode(), "\0" + address[1:] if address[0] == "@" else address)


class Heartbeat:
    """Says READY with the first prediction, then WATCHDOG while predictions, or an outage that is known, go on."""

    def __init__(self) -> None:
        self._predicted = 0
        self._said_s = float("-inf")

    def look(self, predicted: int, *, known_outage: bool) -> None:
        """Say what is to be said; `predicted` are all predictions so far."""
        now_s = time.monotonic()
        if now_s - self._said_s < _EVERY_S or (predicted == self._predicted and not known_outage):
            return
        if not self._predicted and predicted:
            notify("READY=1")
        notify("WATCHDOG=1")
        self._predicted, self._said_s = predicted, now_s
