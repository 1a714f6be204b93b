"""Watch: how a session stands, in a terminal, from its journal alone: while another process records, and after."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from capture.journal import JOURNAL, Reader
from capture.snapshot import Snapshot, Telling
from natadv.errors import DataError
from rigs.archive import SETTINGS, is_recording

_EVERY_S = 0.5
_LINES = 12


def watch(folder: Path, console: Console, *, follow: bool = True, sleep: Callable[[float], None] = time.sleep) -> None:
    """Show a session until the process that records it ends; one that is not being recorded is shown once.

    Args:
        folder: the session's.
        console: where to show it; where it is no terminal, events are printed as they come.
        follow: False shows how it stands now, and returns.
        sleep: waits so many seconds between looks.

    Raises:
        DataError: if it is no session.
    """
    if not (folder / SETTINGS).is_file():
        raise DataError(f"{folder}: not a session folder ({SETTINGS} is missing)")
    reader, telling = Reader(folder), Telling()

    def look() -> Snapshot:
        for event in reader.events():
            telling.take(event)
            if follow and not console.is_terminal:
                console.print(f"{event.at.astimezone(UTC):%H:%M:%S} {event.text}", markup=False, highlight=False)
        return telling.snapshot()

    recording = is_recording(folder)
    snapshot = look()
    if not follow or not recording:
        console.print(rendering(folder, snapshot, recording=recording))
        return
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while True:
            recording = is_recording(folder)  # asked before reading, so that the last lines are read too
            snapshot = look()
            if console.is_terminal:
                live.update(rendering(folder, snapshot, recording=recording), refresh=True)
            if not recording:
                break
            sleep(_EVERY_S)
    console.print(rendering(folder, snapshot, recording=False))


def rendering(
    folder: Path, snapshot: Snapshot, *, recording: bool, now: datetime | None = None, lines: int = _LINES
) -> RenderableType:
    """Return a session's standing as a terminal shows it.

    Args:
        folder: the session's.
        snapshot: how it stands.
        recording: whether a process records it at this moment.
        now: the moment; None: this one.
        lines: of the log.
    """
    if snapshot.at is None:
        return Text(f"{folder.name}: no {JOURNAL} yet", "yellow")
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="bold")
    facts.add_column()
    for name, text in _facts(snapshot, recording=recording, now=now or datetime.now(UTC)):
        facts.add_row(name, text)
    bar = Table.grid()
    bar.add_row(ProgressBar(total=max(1, snapshot.images), completed=snapshot.done + snapshot.skipped, width=50))
    log = Text("\n".join(snapshot.log[-lines:]), "dim")
    return Group(Text(str(folder), "bold"), bar, facts, log)


def _facts(snapshot: Snapshot, *, recording: bool, now: datetime) -> list[tuple[str, Text]]:
    facts = [("state", _state(snapshot, recording=recording))]
    skipped = f", {snapshot.skipped} skipped" if snapshot.skipped else ""
    again = f", {snapshot.reshoots} recorded again" if snapshot.reshoots else ""
    facts.append(("images", Text(f"{snapshot.done} of {snapshot.images}{skipped}{again}")))
    if recording and snapshot.now is not None:
        facts.append(("now", Text(snapshot.now.text)))
    if snapshot.images_per_hour:
        left = ""
        if recording and snapshot.left_s is not None:
            end = now + timedelta(seconds=snapshot.left_s)
            left = f", {timedelta(seconds=round(snapshot.left_s))} left, until {end:%H:%M} UTC"
        facts.append(("rate", Text(f"{snapshot.images_per_hour:.0f} images an hour{left}")))
    for model, hits in snapshot.hits.items():
        wrong = f"; {hits.controls_wrong} wrong without drops already" if hits.controls_wrong else ""
        facts.append((model, Text(f"{hits.fooled} of {hits.images} images fool it, {hits.hits} hits{wrong}")))
    if snapshot.disk:
        facts.append(("disk", Text(snapshot.disk.text.removeprefix("disk: "), "" if snapshot.disk.enough else "red")))
    if snapshot.coverage:
        facts.append(("motion", Text(snapshot.coverage.verdict, "" if snapshot.coverage.enough else "yellow")))
    losses = f", lost {snapshot.device_losses} times so far" if snapshot.device_losses else ""
    if snapshot.device_lost:
        facts.append(("devices", Text(snapshot.device_lost.text, "red")))
    else:
        facts.append(("devices", Text(f"in order{losses}")))
    return facts


def _state(snapshot: Snapshot, *, recording: bool) -> Text:
    if recording:
        if snapshot.paused_by:
            return Text(f"paused by {snapshot.paused_by}", "yellow")
        return Text(f"recording, process {snapshot.pid}", "green")
    if snapshot.stopped is None:
        return Text("killed; --resume goes on", "red")
    good = snapshot.stopped.outcome == "complete"
    return Text(snapshot.stopped.text, "green" if good else "yellow")
