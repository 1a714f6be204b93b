"""The operator's page and a session on the simulated rig: each button through HTTP, and the emergency stop."""

import contextlib
import socket
import threading
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

import capture.control as control_module
from capture.console.pictures import HitPictures
from rigs.rig import Rig
from tests.console_page import Blocking, Session, session_page, wait_for


def page_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("page")]


def test_every_button_leads_the_session(tmp_path: Path) -> None:
    with session_page(tmp_path, images=12) as session:
        assert session.state["standing"] == "starting"
        assert session.wish("skip") == 409  # there is nothing to skip yet
        session.begin()
        state = session.awaits(standing="paused")
        assert state["can"] == ["resume", "skip", "respray", "end"]
        assert state["images"] == 24
        assert session.wish("start") == 409
        assert session.wish("pause") == 409
        assert session.wish("skip", item=7) == 409  # this is not the image being recorded
        assert session.wish("skip", item=0) == 200
        session.awaits(skipped=1)
        wait_for(lambda: session.console.control.item == 1)
        assert session.wish("skip", item=0) == 409  # pressed too late
        assert session.wish("respray", item=1) == 200
        session.awaits(reshoots=1)
        assert session.wish("resume") == 200
        wait_for(lambda: session.state["done"] >= 1)
        assert session.wish("pause") == 200
        done = session.awaits(standing="paused")["done"]
        assert done < 23
        assert session.wish("end") == 200
        assert session.join() == "ended"
        state = session.state
        assert (state["standing"], state["can"]) == ("ended", [])
        assert {device["health"] for device in state["devices"]} == {"waiting"}
        log = [event.kind for event in session.journal.snapshot().events]
        assert log[0] == "began"
        assert {"paused", "skipped", "reshot", "resumed", "recorded", "stopped"} <= set(log)
        fates = session.archive.manifest()
        assert fates.fate(0).skipped == ("asked by the page",)
        assert fates.fate(1).attempt == 1
    assert not page_threads()


@pytest.mark.parametrize("wish", ["launch", "halt", ""])
def test_a_wish_that_there_is_not_is_refused(tmp_path: Path, wish: str) -> None:
    with session_page(tmp_path, images=1) as session:
        assert session.wish(wish) in (404, 405, 422)
        assert session.page.post("/api/wish/pause", json={"item": "x"}).status_code == 422
        assert session.page.post("/api/wish/pause", json={"sudo": 1}).status_code == 422


class Watched:
    """A rig's devices, of which one call blocks, and a record of what is asked of stage and sprayer."""

    def __init__(self, device: str, call: str) -> None:
        self.device, self.call = device, call
        self.stage: Blocking | None = None
        self.sprayer: Blocking | None = None
        self.blocking: Blocking | None = None

    def __call__(self, rig: Rig) -> Rig:
        self.stage, self.sprayer = Blocking(rig.stage, ""), Blocking(rig.sprayer, "")
        rig = replace(rig, stage=self.stage, sprayer=self.sprayer)  # type: ignore[arg-type]
        self.blocking = getattr(rig, self.device)
        if not isinstance(self.blocking, Blocking):
            self.blocking = Blocking(self.blocking, self.call)
            rig = replace(rig, **{self.device: self.blocking})
        self.blocking.call = self.call
        self.blocking.blocks.set()
        return rig


@contextlib.contextmanager
def blocked(session: Session, watched: Watched):  # type: ignore[no-untyped-def]
    """Begin a session and give what asks nothing of the session's thread, which hangs in a device meanwhile."""
    session.begin()
    wait_for(lambda: watched.blocking is not None and watched.blocking.blocked.is_set())
    assert watched.blocking is not None
    assert watched.stage is not None
    assert watched.sprayer is not None
    watched.stage.asked.clear()
    watched.sprayer.asked.clear()
    try:
        yield watched.stage, watched.sprayer
    finally:
        watched.blocking.go_on.set()


@pytest.mark.parametrize(
    ("device", "call"), [("camera", "read"), ("screen", "show"), ("stage", "is_moving"), ("sprayer", "spray")]
)
def test_an_emergency_stop_works_while_the_sessions_thread_hangs(tmp_path: Path, device: str, call: str) -> None:
    watched = Watched(device, call)
    with session_page(tmp_path, devices=watched, paused=False) as session:
        with blocked(session, watched) as (stage, sprayer):
            answer = session.page.post("/api/stop")
            assert answer.status_code == 200
            assert answer.json() == {"detail": "the stage stands and the sprayer is shut", "unstopped": []}
            assert "stop" in stage.asked
            assert "close" in sprayer.asked
            assert session.outcome is None  # it hangs still
            assert session.state["standing"] == "halted"
            assert session.page.post("/api/stop").status_code == 200  # once more does no harm
            stage.asked.clear()
        assert session.join() == "emergency"
        assert "follow" not in stage.asked
        assert session.state["reason"].startswith("emergency stop by the page")
        assert session.state["can"] == []


def test_a_stage_that_does_not_obey_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control_module, "_PATIENCE_S", 0.1)
    watched = Watched("camera", "read")
    with session_page(tmp_path, devices=watched, paused=False) as session:
        with blocked(session, watched) as (stage, sprayer):
            stage.call = "stop"
            stage.blocks.set()
            answer = session.page.post("/api/stop").json()
            assert answer == {"detail": "stage did not obey: cut the power", "unstopped": ["stage"]}
            assert "close" in sprayer.asked  # which did not wait for the stage
            state = session.state
            assert state["unstopped"] == ["stage"]
            assert state["reason"] == "stage did not obey: cut the power"
            (told,) = [device for device in state["devices"] if device["device"] == "stage"]
            assert told["health"] == "lost"
            stage.go_on.set()
        assert session.join() == "emergency"


def test_an_emergency_stop_needs_none_of_the_servers_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Event()
    waiting: list[int] = []

    def dawdle(_: HitPictures, number: int, place: int) -> None:
        waiting.append(number)
        go_on.wait(60)

    monkeypatch.setattr(HitPictures, "picture", dawdle)
    with session_page(tmp_path) as session, contextlib.ExitStack() as visits:
        where = urlsplit(str(session.page.base_url))
        for number in range(45):
            visit = visits.enter_context(socket.create_connection((where.hostname, where.port)))
            visit.sendall(f"GET /api/hits/{number}/0.jpg HTTP/1.1\r\nHost: {where.netloc}\r\n\r\n".encode())
        wait_for(lambda: len(waiting) >= 40)  # as many as the server has threads
        visits.callback(go_on.set)
        session.begin()
        assert session.page.post("/api/stop").json()["unstopped"] == []
        assert session.join() == "emergency"
        go_on.set()


def test_a_stop_before_the_session_keeps_it_from_beginning(tmp_path: Path) -> None:
    with session_page(tmp_path) as session:
        assert session.page.post("/api/stop").status_code == 200
        session.begin()
        assert session.join() == "emergency"
        assert session.archive.records() == []


def test_a_person_who_sprays_is_asked_on_the_page_and_let_go_by_a_stop(tmp_path: Path) -> None:
    with session_page(tmp_path, paused=False, sprayer={"kind": "operator"}) as session:
        session.begin()
        wait_for(lambda: session.state["prompt"])
        prompt = session.state["prompt"]
        assert prompt == {"number": 1, "words": "wipe the glass until it is dry and clear"}
        assert session.page.post("/api/prompt/1", json={"done": True}).status_code == 200
        wait_for(lambda: (session.state["prompt"] or prompt)["number"] == 2)
        assert session.page.post("/api/stop").json()["unstopped"] == []
        assert session.join() == "emergency"
        assert session.state["prompt"] is None


def test_a_stop_pressed_without_javascript_is_one_too(tmp_path: Path) -> None:
    with session_page(tmp_path) as session:
        session.begin()
        session.awaits(standing="paused")
        origin = str(session.page.base_url).rstrip("/")
        form = {"content-type": "application/x-www-form-urlencoded", "origin": origin, "sec-fetch-site": "same-origin"}
        assert session.page.post("/api/stop", content=b"", headers=form).status_code == 200
        assert session.join() == "emergency"


def test_visitors_who_stall_and_many_who_watch_cost_no_frame(tmp_path: Path) -> None:
    with session_page(tmp_path, images=4) as session, contextlib.ExitStack() as visits:
        where = urlsplit(str(session.page.base_url))
        session.begin()
        session.awaits(standing="paused")
        for path in ("/stream", "/stream?peaking=true", "/api/events") * 2:
            visit = visits.enter_context(socket.socket())
            visit.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            visit.connect((where.hostname, where.port))
            visit.sendall(f"GET {path} HTTP/1.1\r\nHost: {where.netloc}\r\n\r\n".encode())  # and reads nothing
        film = visits.enter_context(httpx.stream("GET", f"{session.page.base_url}stream", timeout=30))
        chunks = film.iter_raw()
        assert b"image/jpeg" in next(chunks)
        session.wish("resume")
        assert session.join() == "complete"
        assert [record.lost for record in session.archive.records()] == [0] * 16
        assert session.state["standing"] == "ended"
        begun = b"".join(next(chunks) for _ in range(2))
        assert b"\xff\xd8" in begun  # as a JPEG begins
    assert not page_threads()


def test_the_last_word_is_how_it_ended(tmp_path: Path) -> None:
    said: list[str] = []
    with session_page(tmp_path, images=1) as session:
        url = f"{session.page.base_url}api/events"

        def hear() -> None:
            with httpx.stream("GET", url, timeout=60) as answer:
                said.extend(answer.iter_lines())

        listener = threading.Thread(target=hear)
        listener.start()
        session.begin()
        session.awaits(standing="paused")
        session.wish("resume")
        assert session.join() == "complete"
    listener.join(60)
    states = [line for line in said if line.startswith('data: {"run"')]
    assert '"standing":"ended"' in states[-1]
    assert any(line.startswith("event: happened") for line in said)
    assert '"kind":"stopped"' in "".join(said)
