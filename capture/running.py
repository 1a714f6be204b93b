"""Running: what `natadv capture run` does once its options are read: look at the bench, tidy up, record to the end."""

from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import typer

from capture.calibration.check import check_rig
from capture.console.beside import awaited
from capture.console.console import Console
from capture.control import Control
from capture.desk import Desk
from capture.events import Outcome, Said
from capture.journal import Journal
from capture.live_scan import LiveScan
from capture.notify import Notifier
from capture.restart import Restart
from capture.rules import Rules
from capture.signals import Signals
from capture.tap import Tap
from capture.unattended import look_first, record_unattended
from capture.writer import MEBIBYTE
from natadv.progress import counted
from rigs.archive import Archive
from rigs.rig import Rig, RigSettings


class Run:
    """A rig, and who watches over it, for one session."""

    def __init__(self, settings: RigSettings, rules: Rules, console: Console | None, signals: Signals) -> None:
        """Prepare; `console` is that of the operator's page, if there is one."""
        self._settings, self._console, self._signals = settings, console, signals
        self._rules = rules.model_copy(update={"limits": rules.limits.of_rig(settings)})
        self._control = console.control if console else Control()
        self._tap = console.tap if console else Tap()
        self._old_is_said = False

    def look(self) -> None:
        """Refuse a bench that is not where it was calibrated, once, within reach of the page and its emergency stop.

        Raises:
            DeviceError: if it has moved, or a device fails.
            Halted: if there was an emergency stop.
        """
        if not self._calibrated():
            return
        look_first(self._open, self._look_at, self._control, self._tap, self._rules.limits, on_stuck=_say)

    def record(self, archive: Archive, bundles: list[Path], *, look: bool) -> Outcome:
        """Record what is missing, through failures; the people of the rules are told, and `bundles` look on.

        Args:
            archive: the session; its lock is held.
            bundles: models that are scanned with meanwhile.
            look: whether to look first whether the bench is where it was calibrated, again while devices fail.
        """
        total = len(archive.settings.kinds) * len(archive.settings.items)
        missing = len(archive.missing())
        journal = Journal(archive.folder)
        with ExitStack() as opened:
            notifier = Notifier(
                self._rules.notify, archive.folder.name, journal.snapshot, lambda text: journal.tell(Said(words=text))
            )
            journal.listen(opened.enter_context(notifier).hear)
            desk = Desk(journal, control=self._control, tap=self._tap, memory_bytes=self._rules.memory_mb * MEBIBYTE)
            if self._console is not None:
                if (unwanted := awaited(self._console, self._settings)) is not None:
                    return unwanted
                self._console.attach(archive, journal)
            if bundles:
                desk.scans = opened.enter_context(LiveScan(archive, bundles, journal))
            bar = opened.enter_context(counted("recording", "clips"))
            task = bar.add_task("", total=total, completed=total - missing)
            outcome = record_unattended(
                archive,
                self._open,
                desk,
                self._rules,
                progress=lambda item, kind: bar.update(task, advance=1, description=f"{item.label}/{item.source}"),
                on_stuck=Restart(journal, notifier, self._control, self._signals),
                look=self._look_at if self._calibrated() and look else None,
            )
        if faults := self._settings.faults:
            happened = ", ".join(f"{device} {fault} {n}" for (device, fault), n in faults.campaign.happened.items())
            typer.echo(f"{faults.campaign.total} faults made on purpose: {happened}", err=True)
        return outcome

    def _open(self) -> AbstractContextManager[Rig]:
        return self._settings.open(operator=self._console.prompts if self._console else None, stops=self._control.stops)

    def _calibrated(self) -> bool:
        """Whether there is a calibration to look by; one that is old is said, once."""
        calibration = self._settings.measured()
        if calibration is not None and not self._old_is_said and (stale := calibration.stale()):
            self._old_is_said = True
            _say(f"{self._settings.calibration_file}: {stale}")
        return calibration is not None

    def _look_at(self, rig: Rig) -> None:
        check_rig(self._settings, rig)


def tidy(archive: Archive) -> None:
    """Make a session that was stopped whole, and say what was found."""
    found = archive.recover()
    if found.kept:
        _say(f"{len(found.kept)} finished clips had not been noted; they are kept")
    for folder in found.damaged:
        _say(f"{folder}: damaged, put aside; it is recorded again")
    for folder in found.gone:
        _say(f"{folder}: gone; it is recorded again")


def _say(words: str) -> None:
    typer.echo(words, err=True)
