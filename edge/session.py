"""One live run from the command line: opens everything, ends cleanly on a signal."""

import contextlib
import sys
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from edge.alarm import AlarmRule
from edge.album import Album
from edge.ending import forget_unwritten, stop_on_signal
from edge.evidence import EvidenceStore
from edge.herald import last_words
from edge.live import Live, run
from edge.mqtt import Broker, MqttSink
from edge.opening import open_source
from edge.page.address import PageOptions
from edge.patience import Patience
from edge.placing import Placing
from edge.recorder import EvidenceRule, Recorder
from edge.sinks import EventLines, JsonLines, Sink, tell
from edge.slot import Slot
from edge.source import SourceOptions
from edge.steady import SteadyRule
from edge.summary import Summary
from edge.swap import Swapper, Watcher, mark_of
from edge.video import AnnotatedVideo
from natadv.errors import ConfigError, NatadvError
from rigs.camera.address import public

_OPENING_S: Final = 5.0  # that a bundle which is being opened at the end, to be swapped in, has left
_POLL_S: Final = 1.0  # that the watcher takes to notice the end


@dataclass(frozen=True, slots=True)
class Evidence:
    """Where clips of alarms are kept: a folder, how many bytes they may take, and what of an alarm."""

    folder: Path
    max_bytes: int
    rule: EvidenceRule = field(default_factory=EvidenceRule)


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
    evidence: Evidence | None = None,
    mqtt: Broker | None = None,
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
        alarm: what raises an alarm; one that asks for `score` needs a bundle with a detector to begin with.
        evidence: where clips of alarms are kept.
        mqtt: broker to publish to.
        video: file to write, see `edge.video`.
        overwrite: replace a video of that name.
        page: where to serve the page of the run, see `edge.page`; None: nowhere.

    Raises:
        ConfigError: if the alarm asks for a detector and the bundle has none.
        NatadvError: whatever one of these raises.
    """
    placing, patience = placing or Placing(), patience or Patience()
    with contextlib.ExitStack() as opened:
        opened.callback(forget_unwritten)
        sinks: list[Sink] = [JsonLines(sys.stdout), EventLines(sys.stderr)]
        if video is not None:
            sinks.append(opened.enter_context(AnnotatedVideo(video, overwrite=overwrite)))
        if mqtt is not None:
            sinks.append(opened.enter_context(MqttSink(mqtt)))
        marked = mark_of(bundle)  # before it is read
        model = placing.open(bundle, first=True)
        slot = Slot(model)
        opened.callback(slot.close)
        if alarm is not None and alarm.score and model.manifest.detector is None:
            # Of one that is swapped in later the event tells it: a run for weeks does not end by that.
            raise ConfigError(f"{bundle}: has no detector for --alarm score=on; export it with --detector")
        live = Live(slot, opened.enter_context(stop_on_signal()))
        live.events.add("model", f"{bundle}: {slot.model.described}")
        recorder = store = None
        if evidence is not None:
            store = opened.enter_context(EvidenceStore(evidence.folder, max_bytes=evidence.max_bytes))
            recorder = opened.enter_context(Recorder(store, live.events, evidence.rule, source=public(source_name)))
            sinks.append(recorder)
        swapper = Swapper(slot, live.events, placing.open)
        if page is not None:
            from edge.page.serving import page_of  # noqa: PLC0415  # a web server, which most runs go without

            album = None if store is None else Album(store.folder)
            sinks.extend(opened.enter_context(page_of(live, swapper, bundle, page, album)))
        if watch:
            watcher = Watcher(bundle, marked, swapper, live.stop)
            watcher.start()
            opened.callback(watcher.join, _POLL_S)
        opened.callback(swapper.end, _OPENING_S)  # the watcher's, or a visitor's of the page, who is still served
        opened.callback(live.stop.set)

        def tell_last() -> None:
            if recorder is not None:
                recorder.close()  # the last clip's event comes after the last frame's
                last_words(
                    lambda: tell(partial(sink.note, event) for event in live.events.take() for sink in sinks),
                    patience.stop_s,
                )

        try:
            summary = run(
                live,
                lambda: open_source(source_name, options),
                sinks,
                seconds=seconds,
                every=options.fast,
                patience=patience,
                steady=steady,
                alarm=alarm,
                tap=None if recorder is None else recorder.saw,
                reopen=lambda: placing.open(swapper.folder or bundle),
            )
        except BaseException:
            with contextlib.suppress(NatadvError):  # what the run ends by is worse than what cannot be said of it
                if live.reception.begun:
                    tell_last()
            raise
        tell_last()
    if not summary.seen and not live.asked_to_end and seconds is None:
        raise ConfigError(f"source {public(source_name)}: gave no frame")
    return summary
