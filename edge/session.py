"""One live run from the command line: opens everything, ends cleanly on a signal."""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from edge.alarm import AlarmRule
from edge.classifier import Classifier
from edge.live import Live, Patience, run
from edge.opening import open_source
from edge.page.address import PageOptions
from edge.page.serving import page_of
from edge.runtime import Device
from edge.sinks import EventLines, JsonLines, Sink
from edge.slot import Slot
from edge.source import SourceOptions
from edge.steady import SteadyRule
from edge.summary import Summary
from edge.swap import Swapper, Watcher
from edge.video import AnnotatedVideo
from natadv.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Placing:
    """How models are opened: the first one and any that follows it; `Classifier` describes them.

    Attributes:
        noise_seed: of the first one alone; those that follow draw their own.
    """

    device: Device = "auto"
    allow_cpu: bool = False
    threads: int | None = None
    noise_seed: bytes | None = None
    public_key: Path | None = None

    def open(self, bundle: Path, *, first: bool = False) -> Classifier:
        """Open a bundle."""
        return Classifier(
            bundle,
            device=self.device,
            allow_cpu=self.allow_cpu,
            threads=self.threads,
            noise_seed=self.noise_seed if first else None,
            public_key=self.public_key,
        )


def run_session(
    bundle: Path,
    source_name: str,
    options: SourceOptions,
    *,
    placing: Placing | None = None,
    watch: bool = False,
    seconds: float | None = None,
    patience: Patience | None = None,
    steady: SteadyRule | None = None,
    alarm: AlarmRule | None = None,
    video: Path | None = None,
    overwrite: bool = False,
    page: PageOptions | None = None,
) -> Summary:
    """Run a bundle on a source, with JSON lines on standard output and perhaps an annotated video.

    Args:
        bundle: its folder, or a link to one.
        source_name: as `open_source` takes it.
        options: of the source.
        placing: how the model is opened.
        watch: put another bundle in its place when the folder changes.
        seconds: how long to run; None for without end.
        patience: with the source and the model, see `edge.live`.
        steady: when a label holds.
        alarm: what raises an alarm.
        video: file to write, see `edge.video`.
        overwrite: replace a video of that name.
        page: where to serve the page of the run, see `edge.page`; None: nowhere.

    Raises:
        NatadvError: whatever one of these raises.
    """
    placing = placing or Placing()
    with contextlib.ExitStack() as opened:
        opened.callback(_forget_unwritten)
        sinks: list[Sink] = [JsonLines(sys.stdout), EventLines(sys.stderr)]
        if video is not None:
            sinks.append(opened.enter_context(AnnotatedVideo(video, overwrite=overwrite)))
        slot = Slot(placing.open(bundle, first=True))
        opened.callback(slot.close)
        live = Live(slot, opened.enter_context(stop_on_signal()))
        live.events.add("model", f"{bundle}: {slot.model.described}")
        swapper = Swapper(slot, live.events, placing.open)
        if page is not None:
            sinks.extend(opened.enter_context(page_of(live, swapper, bundle, page)))
        if watch:
            Watcher(bundle, swapper, live.stop).start()
        summary = run(
            live,
            lambda: open_source(source_name, options),
            sinks,
            seconds=seconds,
            every=options.fast,
            patience=patience,
            steady=steady,
            alarm=alarm,
            reopen=lambda: placing.open(swapper.folder or bundle),
        )
    if not summary.seen and seconds is None:
        raise ConfigError(f"source {source_name}: gave no frame")
    return summary


@contextlib.contextmanager
def stop_on_signal() -> Iterator[threading.Event]:
    """Give an event that SIGINT and SIGTERM set instead of ending the process; the second one ends it."""
    stop = threading.Event()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def ask(number: int, _: FrameType | None) -> None:
        stop.set()
        signal.signal(number, before[signal.Signals(number)])

    for number in before:
        signal.signal(number, ask)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _forget_unwritten() -> None:
    """Let Python's last flush of standard output meet no closed pipe and no full disk: that was said already."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
