"""The operator's page of a session on the simulated rig, served on a free port, which a test leads by hand."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml

from capture.console.app import Shown, console_app
from capture.console.console import Console
from capture.console.serving import console_page
from capture.console.state import ConsoleState
from capture.control import Control
from capture.desk import Desk
from capture.journal import Journal
from capture.plan import Plan, start_session
from capture.rules import Rules
from capture.tap import Tap
from capture.unattended import record_unattended
from edge.page.address import PageOptions
from edge.page.door import Door
from edge.page.guard import Guard
from edge.page.stream import Film
from rigs.archive import Archive
from rigs.frame import Frame
from rigs.rig import Rig, RigSettings, load_rig
from tests.rig_files import image_folder, small_rig

WAIT_S = 60
TOKEN = "sixteen-or-more-signs"
STOPS = ThreadPoolExecutor(1)


def wait_for(condition: Callable[[], object]) -> None:
    end_s = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < end_s, "it did not come about"
        time.sleep(0.01)


def guarded(console: Console, *, token: str | None = None) -> Guard:
    """Return a console's page in memory."""
    films = [Film[Frame](lambda: None, lambda frame: b"", name="film") for _ in range(2)]
    shown = Shown(console, ConsoleState(console), films[0], films[1], STOPS, lambda: False)
    door = None if token is None else Door(token, port=8000, secure=False)
    return Guard(console_app(shown), door=door, host="localhost")


def ask(guard: Guard, method: str, path: str, *, host: str = "127.0.0.1:8000", **more: Any) -> httpx.Response:
    """Return the answer to a request from this machine, for a host."""

    async def asked() -> httpx.Response:
        transport = httpx.ASGITransport(guard, client=("127.0.0.1", 1))
        async with httpx.AsyncClient(transport=transport, base_url=f"http://{host}") as client:
            return await client.request(method, path, **more)

    return asyncio.run(asked())


def look_console(**more: Any) -> Console:
    """Return a console of a rig that nobody opened."""
    return Console("a rig", Control(), Tap(), **more)


class Session:
    """A session that records in a thread, and its page.

    Attributes:
        outcome: how it ended; None: it has not.
    """

    def __init__(self, archive: Archive, rig: RigSettings, console: Console, url: str, devices: "Devices") -> None:
        self.archive, self.rig, self.console, self.devices = archive, rig, console, devices
        self.outcome: str | None = None
        self.journal = Journal(archive.folder)
        self.page = httpx.Client(base_url=url, timeout=30)
        self._thread = threading.Thread(target=self._record, name="session")

    def begin(self) -> None:
        self.console.attach(self.archive, self.journal)
        self._thread.start()

    def _record(self) -> None:
        desk = Desk(self.journal, control=self.console.control, tap=self.console.tap)
        self.outcome = record_unattended(self.archive, self.open, desk, Rules())

    @contextmanager
    def open(self) -> Iterator[Rig]:
        with self.rig.open(operator=self.console.prompts) as rig:
            yield self.devices(rig)

    def wish(self, wish: str, **more: Any) -> int:
        return self.page.post(f"/api/wish/{wish}", json=more).status_code

    @property
    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = self.page.get("/api/state").json()
        return found

    def awaits(self, **wanted: object) -> dict[str, Any]:
        """Wait until the state says all this, and return it."""
        found: list[dict[str, Any]] = []

        def says() -> bool:
            found.append(self.state)
            return all(found[-1][name] == value for name, value in wanted.items())

        wait_for(says)
        return found[-1]

    def join(self) -> str | None:
        if self._thread.ident is not None:
            self._thread.join(WAIT_S)
            assert not self._thread.is_alive()
        return self.outcome


Devices = Callable[[Rig], Rig]


@contextmanager
def session_page(
    folder: Path,
    *,
    images: int = 3,
    clip_s: float = 0.2,
    devices: Devices = lambda rig: rig,
    paused: bool = True,
    **blocks: Any,
) -> Iterator[Session]:
    """Give a session on a small simulated rig that has yet to begin, with its page; it is ended at the end.

    Args:
        folder: empty.
        images: of two labels, so many each.
        clip_s: length of the clips.
        devices: what the session gets for the rig's.
        paused: whether it rests before its first image.
        blocks: of the rig's file, in place of the simulated rig's.
    """
    file = small_rig(folder)
    file.write_text(yaml.safe_dump(yaml.safe_load(file.read_text()) | blocks))
    rig = load_rig(file)
    plan = Plan(image_folder(folder / "images", 2, images), clip_s=clip_s, control_frames=2)
    archive = start_session(folder / "session", rig, plan)
    console = Console(rig.name, Control(), Tap(), geometry=rig.geometry())
    if paused:
        console.control.pause("a test")
    with console_page(console, PageOptions()) as url:
        session = Session(archive, rig, console, url, devices)
        try:
            yield session
        finally:
            console.control.end("a test")
            console.control.resume("a test")
            session.join()
            session.page.close()


class Blocking:
    """A device that blocks in one of its calls, once it is told to, until it is let go."""

    def __init__(self, device: Any, call: str) -> None:
        self.device, self.call = device, call
        self.blocks, self.blocked, self.go_on = threading.Event(), threading.Event(), threading.Event()
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.device, name)
        if not callable(found):
            return found

        def called(*arguments: Any) -> Any:
            self.asked.append(name)
            if name == self.call and self.blocks.is_set():
                self.blocked.set()
                self.go_on.wait(WAIT_S)
            return found(*arguments)

        return called
