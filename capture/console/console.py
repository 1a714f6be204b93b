"""Console: what the operator's page looks at and acts on: first a rig alone, then the session that records on it."""

import threading
from pathlib import Path
from typing import Literal

from capture.console.answers import Wish
from capture.console.prompts import Prompts
from capture.console.story import Story
from capture.control import Control
from capture.events import Said
from capture.journal import Journal
from capture.snapshot import Snapshot
from capture.tap import Tap
from rigs.archive import Archive
from rigs.geometry import Point, ScreenGeometry

Corners = tuple[Point, Point, Point, Point]
Mode = Literal["look", "wait", "record"]


class Console:
    """What a page needs; all of it may be used from any thread, and none of it waits for a device.

    Attributes:
        rig: its name.
        control: of the session, and of the rig before it.
        tap: has the newest frame, whoever reads the camera.
        story: what happened.
        prompts: what the operator is asked.
        corners: of the shown picture in the camera's frames; None: not known.
        folder: the session's; None: there is none yet.
        trouble: why there is no preview, in words; None: there is one, or a session.
        unstopped: devices that had not obeyed the last emergency stop after two seconds.
    """

    def __init__(
        self, rig: str, control: Control, tap: Tap, *, geometry: ScreenGeometry | None = None, mode: Mode = "record"
    ) -> None:
        """Prepare.

        Args:
            rig: its name.
            control: of the session, or of the one to come.
            tap: likewise.
            geometry: where the shown picture lies in the camera's frames.
            mode: look at a rig alone, or wait for `start` before the session, or record at once.
        """
        self.rig, self.control, self.tap = rig, control, tap
        self.story = Story()
        self.prompts = Prompts(lambda words: self.story.take(Said(words=words)))
        self.corners: Corners | None = None if geometry is None else geometry.corners_px
        self.folder: Path | None = None
        self.trouble: str | None = None
        self.unstopped: tuple[str, ...] = ()
        self._journal: Journal | None = None
        self._mode = mode
        self._started = threading.Event()

    def attach(self, archive: Archive, journal: Journal) -> None:
        """Show a session that is about to be recorded."""
        journal.listen(self.story.take)
        self.story.recall(journal.snapshot().events)
        left, top = archive.settings.crop_px[:2]
        a, b, c, d = ((x + left, y + top) for x, y in archive.settings.corners_px)
        self.corners = (a, b, c, d)
        self.folder = archive.folder
        self.trouble = None
        self._journal = journal

    @property
    def snapshot(self) -> Snapshot:
        """How the session stands; the empty one before it."""
        return Snapshot() if self._journal is None else self._journal.snapshot()

    @property
    def started(self) -> bool:
        """Whether a session is to begin: somebody pressed start, or nobody needs to."""
        return self._mode == "record" or self._started.is_set()

    @property
    def can_start(self) -> bool:
        """Whether start would be taken."""
        return self._mode == "wait" and not self.over

    @property
    def over(self) -> bool:
        """Whether the time before a session is: start was pressed, or no session is wanted any more."""
        return self._started.is_set() or self.control.standing in ("stopping", "halted")

    def wish(self, wish: Wish, by: str, item: int | None) -> bool:
        """Pass a wish on; return whether it was taken."""
        match wish:
            case "skip":
                return self.control.skip(by, item=item)
            case "respray":
                return self.control.respray(by, item=item)
            case "start":
                return self._start()
        plain = {"pause": self.control.pause, "resume": self.control.resume, "end": self.control.end}
        taken = plain[wish](by)
        if wish == "end" and not self.started:
            self.prompts.cancel()  # a rig that is being opened may ask for something to be done first
        return taken

    def stop(self, by: str) -> tuple[str, ...]:
        """Stop the stage and shut the sprayer at once, in this thread; return what has not obeyed in two seconds."""
        self.prompts.cancel()
        self.unstopped = self.control.emergency_stop(by)
        return self.unstopped

    def _start(self) -> bool:
        if not self.can_start:
            return False
        self._started.set()
        return True
