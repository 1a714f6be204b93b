"""Nothing but the picture on a desktop: its saver, its power saving and its notifications held off, over D-Bus.

A desktop takes each of these wishes back itself when the connection that made it ends.
"""

from typing import Any, Final

from rigs.vendor import vendor

_WHO: Final = "natadv"
_WHY: Final = "a camera records what is shown"
_ANSWER_S: Final = 2.0
_WISHES: Final[tuple[tuple[str, str, str, str, tuple[Any, ...]], ...]] = (
    ("sleep and its saver", "org.freedesktop.ScreenSaver", "/org/freedesktop/ScreenSaver", "ss", (_WHO, _WHY)),
    ("notifications", "org.freedesktop.Notifications", "/org/freedesktop/Notifications", "ssa{sv}", (_WHO, _WHY, {})),
)


class Quiet:
    """What the desktop has been asked to hold off, until it is closed.

    Attributes:
        refused: what it could not be asked, a line each that says what a person has to do.
    """

    def __init__(self, address: str | None) -> None:
        """Ask.

        Args:
            address: of the session's bus, the environment's DBUS_SESSION_BUS_ADDRESS; None if there is no desktop.

        Raises:
            ConnectError: if jeepney is missing.
        """
        self.refused: list[str] = []
        self._bus: Any = None
        if address is None:
            self._refuse(*(name for name, *_ in _WISHES), why="no desktop's bus")
            return
        jeepney = vendor("jeepney", extra="screen", device="screen")
        blocking = vendor("jeepney.io.blocking", extra="screen", device="screen")
        try:
            self._bus = blocking.open_dbus_connection(bus=address)
        except (OSError, RuntimeError, ValueError, jeepney.AuthenticationError) as error:
            self._refuse(*(name for name, *_ in _WISHES), why=f"the desktop's bus does not answer: {error}")
            return
        for name, service, path, signature, arguments in _WISHES:
            address_there = jeepney.DBusAddress(path, bus_name=service, interface=service)
            call = jeepney.new_method_call(address_there, "Inhibit", signature, arguments)
            try:
                answer = self._bus.send_and_get_reply(call, timeout=_ANSWER_S)
            except (OSError, TimeoutError) as error:
                self._refuse(name, why=str(error) or "no answer")
                continue
            if answer.header.message_type is jeepney.MessageType.error:
                self._refuse(name, why=str(answer.body[0]) if answer.body else "refused")

    def close(self) -> None:
        """Let go of all wishes; may be called twice."""
        if self._bus is not None:
            self._bus.close()
            self._bus = None

    def _refuse(self, *names: str, why: str) -> None:
        self.refused += [f"screen: cannot hold off {name} ({why}); switch it off in the desktop" for name in names]
