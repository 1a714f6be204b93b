"""One live run from the command line: what is under way when it ends, and who is told what happened last."""

import io
import json
import os
import signal
import socket
import subprocess
import threading
import time
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from edge import session
from edge.alarm import AlarmRule
from edge.events import Event, EventLog
from edge.evidence import evidence_clips
from edge.live import Live, run
from edge.page.address import PageOptions
from edge.patience import Patience
from edge.session import Evidence, run_session
from edge.sinks import JsonLines, Observation, tell
from edge.slot import Slot
from edge.source import SourceOptions
from edge.swap import Swapper
from natadv.errors import BundleError, ConfigError, DeviceError
from natadv.images import write_image
from rigs.geometry import ScreenGeometry, whole
from tests.free_port import free_port
from tests.live_fakes import Kept
from tests.tiny_bundle import GREEN, RED, plain, write_tiny_bundle
from tests.unit.test_edge_cli import COMMAND
from tests.unit.test_edge_outages import Flaky
from tests.unit.test_edge_swap import Model, Ticking

LONG = 20.0


@dataclass
class Models:
    """Opens the first model at once; another is asked for when the run is about to end, and takes its time."""

    takes_s: float
    second: Model = field(default_factory=lambda: Model("new"))
    opened: bool = False

    def open(self, bundle: Path, *, first: bool = False) -> Model:
        if first:
            return Model("old")
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(self.takes_s)
        self.opened = True
        return self.second


def test_a_swap_by_the_page_is_waited_for_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that comes back out of a library while Python is torn down aborts the process."""
    (tmp_path / "next").mkdir()
    (tmp_path / "next" / "manifest.json").write_text("{}", "utf-8")
    monkeypatch.setattr(session, "open_source", lambda name, options: nullcontext(Ticking()))
    port = free_port()
    answers: list[int] = []

    def post() -> None:
        end_s = time.monotonic() + LONG
        while time.monotonic() < end_s:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                time.sleep(0.02)
        answer = httpx.post(f"http://127.0.0.1:{port}/api/model", json={"bundle": "next"}, timeout=LONG)
        answers.append(answer.status_code)

    visitor = threading.Thread(target=post)
    visitor.start()
    models: Any = Models(2.0)
    page = PageOptions(port=port, bundles=tmp_path)
    run_session(tmp_path / "first", "0", SourceOptions(), placing=models, page=page)
    assert models.opened
    visitor.join(LONG)
    assert answers == [409]  # it came too late, and is told so
    assert models.second.closed


def test_no_swap_begins_when_the_run_has_ended() -> None:
    slot, opened = Slot(Model("old")), list[Path]()
    swapper = Swapper(slot, EventLog(), opened.append)  # type: ignore[arg-type]
    swapper.end(1.0)
    with pytest.raises(BundleError, match="the run is ending"):
        swapper.swap(Path("next"))
    assert opened == []


def test_one_that_hangs_is_left_behind() -> None:
    slot, let_go, begun = Slot(Model("old")), threading.Event(), threading.Event()
    late = Model("new")

    def hang(folder: Path) -> Model:
        begun.set()
        let_go.wait(LONG)
        return late

    swapper = Swapper(slot, EventLog(), hang)

    def swap() -> None:
        with pytest.raises(BundleError, match="the run is ending"):
            swapper.swap(Path("next"))

    thread = threading.Thread(target=swap)
    thread.start()
    assert begun.wait(LONG)
    swapper.end(0.1)
    assert not let_go.is_set()
    let_go.set()
    thread.join(LONG)
    assert late.closed
    assert slot.model.described == "old"


def test_who_ends_a_run_before_its_first_frame_has_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(stop: threading.Event):  # type: ignore[no-untyped-def]
        os.kill(os.getpid(), signal.SIGTERM)
        stop.wait(LONG)
        yield from ()

    monkeypatch.setattr(session, "open_source", lambda name, options: Flaky(silent, live=False).open())
    assert run_session(Path("first"), "0", SourceOptions(), placing=Models(0.0)).seen == 0  # type: ignore[arg-type]


def test_a_source_without_frames_is_an_error_that_keeps_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    empty = Flaky(lambda stop: iter(()), live=False)
    monkeypatch.setattr(session, "open_source", lambda name, options: empty.open())
    with pytest.raises(ConfigError, match=r"^source rtsp://camera/1: gave no frame$"):
        run_session(Path("first"), "rtsp://me:secret@camera/1", SourceOptions(), placing=Models(0.0))  # type: ignore[arg-type]


class Gone(io.StringIO):
    """A pipe whose reader takes one line and goes, as `head` does."""

    def flush(self) -> None:
        if self.getvalue().count("\n") > 1:
            raise BrokenPipeError(32, "Broken pipe")


@pytest.mark.parametrize("last", ["prediction", "event"])
def test_a_listener_that_has_gone_keeps_nothing_from_the_others(last: str) -> None:
    class Late(Kept):
        def write(self, observation: Observation) -> None:
            super().write(observation)
            if len(self.observations) == 2:
                live.events.add("evidence", "late")
                if last == "prediction":
                    live.stop.set()

    live, kept = Live(Slot(Model("old"))), Late()
    summary = run(live, lambda: nullcontext(Ticking()), [JsonLines(Gone()), kept], seconds=LONG)
    assert (summary.predicted, len(kept.observations)) == (1, 2)
    assert [event.text for event in kept.events] == ["late"]


def test_what_became_of_the_last_clip_is_told_though_the_run_ends_by_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Placed(Ticking):
        def geometry(self, frame_size: tuple[int, ...]) -> ScreenGeometry:
            return whole((frame_size[0], frame_size[1]))

    def fails(model: Model, count: int) -> None:
        if count == 4:
            raise DeviceError("CUDA failure 700")

    class Failing:
        def open(self, bundle: Path, *, first: bool = False) -> Model:
            if not first:
                raise BundleError("first: torn")
            return Model("old", fails)

    monkeypatch.setattr(session, "open_source", lambda name, options: nullcontext(Placed()))
    with pytest.raises(DeviceError, match="look at the device"):
        run_session(
            Path("first"),
            "0",
            SourceOptions(),
            placing=Failing(),  # type: ignore[arg-type]
            patience=Patience(restarts=1),
            alarm=AlarmRule(frames=2, confidence=1.0),
            evidence=Evidence(tmp_path / "evidence", 10**9),
        )
    (clip,) = evidence_clips(tmp_path / "evidence")
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    events = [line["event"] for line in told if "event" in line]
    assert events == ["model", "alarm", "restart-failed", "evidence"]
    assert told[-1]["text"].startswith(str(clip.archive.folder))


def test_all_hear_of_every_event_though_one_of_them_has_gone() -> None:
    """A clip is kept when the last frame is long past, and the pipe is closed."""
    heard: list[str] = []

    def fail() -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        tell([fail, lambda: heard.append("one"), fail, lambda: heard.append("two")])
    assert heard == ["one", "two"]


def test_a_run_whose_lines_nobody_reads_any_more_ends_well(tmp_path: Path) -> None:
    """`natadv edge run ... | head` during an alarm: its clip is kept, and said."""
    bundle, images = write_tiny_bundle(tmp_path / "bundle"), tmp_path / "images"
    images.mkdir()
    for number in range(200):
        write_image(images / f"{number:03}.png", plain((RED, GREEN)[number % 2], (24, 32)))
    args = [bundle, "--source", images, "--image-s", "0.01", "--alarm", "frames=4", "--alarm", "changes=2"]
    args += ["--evidence", tmp_path / "evidence"]
    with subprocess.Popen(
        [*COMMAND, *map(str, args)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        while (line := process.stdout.readline()) and json.loads(line).get("event") != "alarm":
            pass
        process.stdout.close()
        errors = process.stderr.read()
        assert process.wait(60) == 0, errors
    assert "evidence: " in errors
    assert "predicted" in errors.splitlines()[-1]
    assert "Traceback" not in errors


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_a_label_or_a_name_that_the_output_cannot_write_is_written_as_json_can(encoding: str) -> None:
    written = io.BytesIO()
    lines = JsonLines(io.TextIOWrapper(written, encoding=encoding))
    texts = ["\u00dcberholverbot", os.fsdecode(b"bundle-\xff")]
    for text in texts:
        lines.note(Event("label", text))
    assert [json.loads(line)["text"] for line in written.getvalue().splitlines()] == texts
