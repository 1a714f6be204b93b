"""The side door of a stand-in in a process of its own: a UNIX socket, a line of JSON in, a line of JSON out."""

import json
import socket
import socketserver
import threading
from pathlib import Path
from typing import Any, Self

from rigs.firmware.motion import Point
from rigs.firmware.terminal import Terminal

_ANSWER_S = 5.0


class _Handler(socketserver.StreamRequestHandler):
    server: "TruthServer"

    def handle(self) -> None:
        for line in self.rfile:
            answer = self.server.answer(json.loads(line))
            self.wfile.write(json.dumps(answer).encode() + b"\n")


class TruthServer(socketserver.ThreadingUnixStreamServer):
    """Answers about a terminal."""

    daemon_threads = True

    def __init__(self, path: Path, terminal: Terminal) -> None:
        super().__init__(str(path), _Handler)
        self._terminal = terminal
        self._path = path
        self._thread = threading.Thread(target=self.serve_forever, name="truth", daemon=True)

    def __enter__(self) -> Self:
        """Begin to answer."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self.shutdown()
        self.server_close()
        self._path.unlink(missing_ok=True)

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Do what is asked and say what is true now; `at` asks for a moment's position."""
        terminal = self._terminal
        for name, value in request.get("set", {}).items():
            terminal.set(name, value)
        for name in request.get("do", []):
            {
                "plug": terminal.plug,
                "unplug": terminal.unplug,
                "strike": terminal.strike,
                "power_up": terminal.power_up,
            }[name]()
        return {
            "positions": [terminal.position_at(time_s) for time_s in request.get("at", [])],
            "moving": terminal.moving,
            "coolant": terminal.coolant,
            "state": terminal.state,
        }


class Truth:
    """What is true of a stand-in in another process; a context manager."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(_ANSWER_S)
        self._socket.connect(str(path))
        self._file = self._socket.makefile("rwb")

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Hang up."""
        self._file.close()
        self._socket.close()

    def _ask(self, **request: Any) -> dict[str, Any]:
        self._file.write(json.dumps(request).encode() + b"\n")
        self._file.flush()
        answer: dict[str, Any] = json.loads(self._file.readline())
        return answer

    def positions_at(self, times_s: list[float]) -> list[Point]:
        """Return where the carriage was at these moments, in machine coordinates, an axis a number."""
        return [tuple(place) for place in self._ask(at=times_s)["positions"]]

    @property
    def moving(self) -> bool:
        """Whether the carriage moves."""
        return bool(self._ask()["moving"])

    @property
    def coolant(self) -> str:
        """Outputs that are on: `F` for M8, `M` for M7."""
        return str(self._ask()["coolant"])

    @property
    def state(self) -> str:
        """What its reports would say."""
        return str(self._ask()["state"])

    def set(self, **faults: float) -> None:
        """Set faults, as `Terminal.set`."""
        self._ask(set=faults)

    def do(self, *names: str) -> None:
        """Do these: plug, unplug, strike, power_up."""
        self._ask(do=names)
