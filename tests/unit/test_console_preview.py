"""The preview of a rig before a session: until start is pressed, or no session is wanted."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from capture.console.console import Console
from capture.console.preview import chart, preview
from capture.control import Control
from capture.tap import Tap
from natadv.errors import DeviceError
from rigs.rig import Rig, load_rig
from tests.console_page import ask, guarded, look_console, wait_for
from tests.rig_files import small_rig


def previewed(console: Console, folder: Path, broken: int = 0) -> tuple[threading.Thread, list[bool]]:
    """Preview a rig that cannot be opened at first, in a thread; give its answer."""
    rig, left, answers = load_rig(small_rig(folder)), [broken], []

    @contextmanager
    def open_rig() -> Iterator[Rig]:
        if left[0]:
            left[0] -= 1
            raise DeviceError("camera: not there")
        with rig.open(realtime=True) as opened:
            yield opened

    thread = threading.Thread(
        target=lambda: answers.append(preview(open_rig, console, chart(256), wait=lambda _: None)), name="preview"
    )
    thread.start()
    return thread, answers


def test_a_preview_shows_the_rig_until_start_is_pressed(tmp_path: Path) -> None:
    console = look_console(mode="wait")
    guard = guarded(console)
    assert ask(guard, "POST", "/api/wish/pause", json={}).status_code == 409
    thread, answers = previewed(console, tmp_path, broken=2)
    wait_for(lambda: console.tap.newest is not None)
    state = ask(guard, "GET", "/api/state").json()
    assert (state["standing"], state["can"], state["reason"]) == ("preview", ["start", "end"], "")
    assert state["view"]["width_px"] == 160
    assert ask(guard, "POST", "/api/wish/start", json={}).status_code == 200
    assert ask(guard, "POST", "/api/wish/start", json={}).status_code == 409
    thread.join(20)
    assert answers == [True]
    assert ask(guard, "GET", "/api/state").json()["standing"] == "starting"


@pytest.mark.parametrize(("path", "standing"), [("/api/wish/end", "stopping"), ("/api/stop", "halted")])
@pytest.mark.parametrize("mode", ["wait", "look"])
def test_a_preview_ends_without_a_session(tmp_path: Path, mode: str, path: str, standing: str) -> None:
    console = look_console(mode=mode)
    guard = guarded(console)
    thread, answers = previewed(console, tmp_path)
    wait_for(lambda: console.tap.newest is not None)
    assert ("start" in ask(guard, "GET", "/api/state").json()["can"]) == (mode == "wait")
    assert ask(guard, "POST", path, json={}).status_code == 200
    thread.join(20)
    assert answers == [False]
    assert console.control.standing == standing
    assert ask(guard, "POST", "/api/wish/start", json={}).status_code == 409


def test_a_rig_that_is_not_there_is_said_and_tried_again(tmp_path: Path) -> None:
    console = look_console(mode="wait")
    thread, answers = previewed(console, tmp_path, broken=10**9)
    wait_for(lambda: console.trouble is not None)
    state = ask(guarded(console), "GET", "/api/state").json()
    assert (state["reason"], state["view"]) == ("camera: not there", None)
    assert {device["words"] for device in state["devices"]} == {"camera: not there"}
    console.wish("end", "a test", None)
    thread.join(20)
    assert answers == [False]


def test_a_stop_in_the_preview_reaches_stage_and_sprayer(tmp_path: Path) -> None:
    console, asked = Console("a rig", Control(), Tap(), mode="wait"), []
    settings = load_rig(small_rig(tmp_path))

    class Stage:
        def stop(self) -> None:
            asked.append("stop")

    @contextmanager
    def open_rig() -> Iterator[Rig]:
        with settings.open(realtime=True) as rig:
            yield replace(rig, stage=Stage())  # type: ignore[arg-type]

    thread = threading.Thread(target=preview, args=(open_rig, console, chart(256)))
    thread.start()
    wait_for(lambda: console.tap.newest is not None)
    assert console.stop("a test") == ()
    assert asked == ["stop"]
    thread.join(20)
    assert not thread.is_alive()
