"""One live run from the command line: opens everything, ends cleanly on a signal."""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from edge.classifier import Classifier
from edge.live import run
from edge.opening import open_source
from edge.runtime import Device
from edge.sinks import JsonLines, Sink
from edge.source import SourceOptions
from edge.summary import Summary
from edge.video import AnnotatedVideo
from natadv.errors import ConfigError


def run_session(
    bundle: Path,
    source_name: str,
    options: SourceOptions,
    *,
    device: Device = "auto",
    allow_cpu: bool = False,
    threads: int | None = None,
    noise_seed: bytes | None = None,
    public_key: Path | None = None,
    seconds: float | None = None,
    video: Path | None = None,
    overwrite: bool = False,
) -> Summary:
    """Run a bundle on a source, with JSON lines on standard output and perhaps an annotated video.

    `Classifier`, `open_source`, `AnnotatedVideo` and `live.run` describe the arguments.

    Raises:
        NatadvError: whatever one of these raises.
    """
    with contextlib.ExitStack() as opened:
        opened.callback(_forget_unwritten)
        sinks: list[Sink] = [JsonLines(sys.stdout)]
        if video is not None:
            sinks.append(opened.enter_context(AnnotatedVideo(video, overwrite=overwrite)))
        classifier = opened.enter_context(
            Classifier(
                bundle,
                device=device,
                allow_cpu=allow_cpu,
                threads=threads,
                noise_seed=noise_seed,
                public_key=public_key,
            )
        )
        source = opened.enter_context(open_source(source_name, options))
        stop = opened.enter_context(stop_on_signal())
        noise = f", noise seed {classifier.noise.seed}" if classifier.noise else ""
        sys.stderr.write(f"{bundle}: {len(classifier.labels)} labels, on {classifier.provider}{noise}\n")
        summary = run(source, classifier, sinks, stop=stop, seconds=seconds, every=options.fast)
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
