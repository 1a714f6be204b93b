"""Record a session, and go on with it where it stopped.

For each clean image, `capture.take` records the control through dry glass and the clip through wet glass. What passes
its checks is encoded and written while the next image is being recorded; its line in the manifest follows its folder's
final name, so that whatever is killed, a clip is either complete and known, complete and found again, or was never
there. What does not pass is recorded again, with other drops along another path, and after some attempts the image is
skipped; the manifest and the journal say so.
"""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from capture.control import ResprayAsked, SkipAsked
from capture.desk import Desk
from capture.disk import Forecast
from capture.events import Doing, Paused, Recorded, Reshot, Resumed, Skipped
from capture.guard import Guard
from capture.hanging import in_time
from capture.journal import Journal
from capture.take import UnfitError, take_image
from capture.writer import Stored, Writer
from natadv.errors import DeviceError
from rigs.archive import Archive
from rigs.rig import Rig
from rigs.session import Checks, Item, Kind

Progress = Callable[[Item, Kind], None]


def record_session(
    archive: Archive,
    rig: Rig,
    *,
    progress: Progress | None = None,
    desk: Desk | None = None,
    guard: Guard | None = None,
) -> None:
    """Record every clip that the session still lacks.

    Whatever happens, the stage is stopped and the sprayer shut before this returns or raises.

    Args:
        archive: the session; `Archive.recover` has been called on it.
        rig: an open rig, the one that the session was planned for.
        progress: called after each clip that is noted as complete.
        desk: who may ask, and who is told; None: nobody asks, and the journal is the session's.
        guard: what the devices are reached through, where a watchdog shares it.

    Raises:
        DeviceError: if the rig fails; what is complete by then is kept.
        ResourceError: if the disk fills up; likewise.
        Halted, Ended: if that was asked for; likewise.
    """
    desk = desk or Desk(Journal(archive.folder))
    guard = guard or Guard(desk.control, desk.tap, archive.settings.crop_px)
    guarded = guard.rig(rig)
    with _safe(guarded), desk.control.holding(rig.stage, rig.sprayer):
        _Session(archive, guarded, desk, progress).run()


class _Session:
    """One life of a session: from the opening of the rig to its end or failure."""

    def __init__(self, archive: Archive, rig: Rig, desk: Desk, progress: Progress | None) -> None:
        self._archive, self._rig, self._desk, self._progress = archive, rig, desk, progress
        self._items = {item.number: item for item in archive.settings.items}
        self._todo: deque[int] = deque()
        desk.forecast = self._forecast = desk.forecast or Forecast(archive)
        self._lights = [
            record.light for record in archive.records() if record.kind == "dry" and record.light is not None
        ]
        self._complete = {item.number for item in archive.complete_items()}
        self._skipped_in_a_row = 0

    def run(self) -> None:
        """Record all that is missing."""
        self._todo.extend(dict.fromkeys(item.number for item, _ in self._archive.missing()))
        with Writer(self._archive, self._desk.memory_bytes, self._stored) as writer:
            while True:
                self._heed_scans()
                if self._todo:
                    self._look_at_disk(writer)
                    self._record(self._items[self._todo.popleft()], writer)
                elif not self._awaits_scans(writer):
                    return

    def _record(self, item: Item, writer: Writer) -> None:
        """Record an image, again and again until it is good, or given up."""
        archive, desk = self._archive, self._desk
        shown = desk.turn_to(item)
        before = None if shown is None else in_time(archive.folder, lambda: archive.image(shown))
        while True:
            manifest = in_time(archive.folder, archive.manifest)
            kinds = [kind for kind in archive.settings.kinds if (item.number, kind) not in manifest.noted]
            attempt = manifest.fate(item.number).attempt
            if not kinds or manifest.fate(item.number).skipped is not None:
                return
            try:
                with desk.control.recording(item.number):
                    self._rest()
                    takes = take_image(
                        archive,
                        self._rig,
                        item,
                        kinds,
                        attempt=attempt,
                        lights=tuple(self._lights[:5]),
                        before=before,
                        between=desk.control.check,
                        turning=lambda kind, attempt=attempt: self._turn(item, kind, attempt),  # type: ignore[misc]
                    )
            except SkipAsked as asked:
                self._skip(item, (str(asked),))
                return
            except ResprayAsked as asked:
                self._again(item, attempt, (str(asked),), asked=True)
            except UnfitError as unfit:
                self._again(item, attempt, unfit.reasons)
                if self._give_up(item, unfit.reasons):
                    return
            else:
                self._skipped_in_a_row = 0
                for take in takes:
                    if take.light is not None:
                        self._lights.append(take.light)
                    writer.put(take)
                return
            finally:
                self._rig.stage.stop()

    def _turn(self, item: Item, kind: Kind, attempt: int) -> None:
        self._desk.journal.tell(
            Doing(item=item.number, clip=kind, source=item.source, label=item.label, attempt=attempt)
        )

    def _again(self, item: Item, attempt: int, reasons: tuple[str, ...], *, asked: bool = False) -> None:
        in_time(self._archive.folder, lambda: self._archive.reject(item, reasons, asked=asked))
        self._desk.journal.tell(Reshot(item=item.number, attempt=attempt, reasons=reasons))

    def _give_up(self, item: Item, reasons: tuple[str, ...]) -> bool:
        """Skip an image that has had all its attempts; say whether it had.

        Raises:
            DeviceError: if too many were skipped in a row.
        """
        checks = self._archive.settings.checks or Checks()
        if self._archive.manifest().fate(item.number).failed <= checks.retries:
            return False
        self._skip(item, reasons)
        self._skipped_in_a_row += 1
        if self._skipped_in_a_row >= checks.skipped_in_a_row:
            raise DeviceError(
                f"rig: {self._skipped_in_a_row} images in a row had to be skipped, the last as {'; '.join(reasons)}; "
                "look at it, then go on with --resume --retry-skipped"
            )
        return True

    def _skip(self, item: Item, reasons: tuple[str, ...]) -> None:
        in_time(self._archive.folder, lambda: self._archive.skip(item, reasons))
        self._desk.journal.tell(Skipped(item=item.number, reasons=reasons))

    def _stored(self, stored: Stored) -> None:
        """Tell of a clip that is on the disk; called from the writer's thread."""
        take = stored.take
        number = take.item.number
        complete = take.kind == self._archive.settings.kinds[-1] or self._is_complete(number)
        if complete:
            self._complete.add(number)
        self._forecast.add(stored.stored_bytes, complete=complete)
        self._desk.journal.tell(
            Recorded(
                item=number,
                clip=take.kind,
                attempt=take.attempt,
                frames=stored.frames,
                lost=take.recording.lost,
                complete=complete,
                coverage=stored.coverage,
                measured=stored.measured,
                stored_bytes=stored.stored_bytes,
            )
        )
        if complete and self._desk.scans is not None:
            self._desk.scans.put(take.item, take.attempt)
        if self._progress:
            self._progress(take.item, take.kind)

    def _is_complete(self, number: int) -> bool:
        noted = self._archive.noted()
        return all((number, kind) in noted for kind in self._archive.settings.kinds)

    def _rest(self) -> None:
        """Rest while somebody wants it; frames are read meanwhile, for looking at alone."""
        control, journal = self._desk.control, self._desk.journal
        by: str | None = None

        def meanwhile() -> None:
            nonlocal by
            if by is None:
                by = control.paused_by or "somebody"
                journal.tell(Paused(by=by))
            self._rig.camera.read()

        went_on = False
        try:
            control.rest(meanwhile)
            went_on = True  # though somebody may want the next pause already
        finally:
            if by is not None and (went_on or control.standing == "running"):
                journal.tell(Resumed(by=control.resumed_by or by))

    def _look_at_disk(self, writer: Writer) -> None:
        left, waiting = len(self._todo), writer.waiting_bytes
        forecast = in_time(self._archive.folder, lambda: self._forecast.look(left, waiting))
        if forecast is not None:
            self._desk.journal.tell(forecast)

    def _heed_scans(self) -> None:
        """Record again what all models get wrong without drops already."""
        checks = self._archive.settings.checks
        if self._desk.scans is None:
            return
        for number, attempt, found in self._desk.scans.verdicts():
            if checks is None or checks.wrong_control == "keep" or not found or any(one.control_right for one in found):
                continue
            manifest = self._archive.manifest()
            if manifest.fate(number).attempt != attempt or (number, "wet") not in manifest.noted:
                continue  # it was recorded again meanwhile
            item, named = self._items[number], ", ".join(one.model for one in found)
            reasons = (f"the control is wrong already for {named}",)
            self._again(item, attempt, reasons)
            if self._archive.manifest().fate(number).failed > checks.retries:
                self._skip(item, reasons)
            else:
                self._todo.append(number)

    def _awaits_scans(self, writer: Writer) -> bool:
        """Wait a little for models that have not seen all yet, and may send an image back; say whether they have."""
        writer.drain()
        self._rig.stage.stop()
        if self._desk.scans is None or not self._desk.scans.waiting:
            return False
        self._rest()
        self._desk.control.wait(0.1)
        return True


@contextmanager
def _safe(rig: Rig) -> Iterator[None]:
    try:
        yield
    finally:
        rig.stage.stop()
        rig.sprayer.close()
