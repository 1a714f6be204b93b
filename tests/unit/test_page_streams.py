"""The film and the events of a page that is truly served: slow visitors get less and hold nobody up."""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from urllib.parse import urlsplit

import cv2
import httpx
import numpy as np
import pytest

from edge.live import Live, run
from edge.page import stream as stream_module
from edge.page.painting import jpeg
from edge.page.pictures import Pictures
from edge.page.protocol import PatientProtocol
from edge.page.stream import BOUNDARY, MOST_VISITORS
from edge.patience import Patience
from edge.prediction import Prediction
from edge.sinks import Observation
from edge.slot import Slot
from edge.source import Shot
from natadv.images import Image
from rigs.frame import Frame
from tests.live_fakes import Kept
from tests.live_page import Named, observation, served

RNG = np.random.default_rng(0)
NOISE = RNG.integers(0, 256, (480, 640, 3), np.uint8)  # which JPEG cannot make small


def wait_for(condition: Callable[[], bool]) -> None:
    end_s = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end_s, "it did not come about"
        time.sleep(0.01)


def numbered(number: int) -> Observation:
    """Return an observation whose picture tells its number by how bright its lower half is."""
    image = NOISE.copy()
    image[240:] = 5 * number
    return observation(number, image=image)


def number_of(picture: bytes) -> int:
    image = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return round(float(image[260:].mean()) / 5)


def connected(url: str, path: str = "/stream") -> socket.socket:
    """Ask for a film, and read nothing of it."""
    where = urlsplit(url)
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect((where.hostname, where.port))
    client.sendall(f"GET {path} HTTP/1.1\r\nHost: {where.netloc}\r\n\r\n".encode())
    return client


def pictures_of(answer: httpx.Response) -> Iterator[bytes]:
    rest = b""
    for chunk in answer.iter_raw():
        rest += chunk
        while (end := rest.find(f"\r\n--{BOUNDARY}".encode(), 1)) >= 0:
            part, rest = rest[:end], rest[end + 2 :]
            yield part.partition(b"\r\n\r\n")[2]


def film_of(sinks) -> Pictures:  # type: ignore[no-untyped-def]
    (film,) = [sink for sink in sinks if isinstance(sink, Pictures)]
    return film


def test_who_watches_sees_the_newest_frame_and_nobody_else_costs_anything() -> None:
    with served() as (url, _, sinks):
        film = film_of(sinks)
        for number in range(5):
            film.write(numbered(number))
        time.sleep(0.3)
        assert film.encoded == 0
        with httpx.stream("GET", f"{url}stream") as answer:
            assert answer.headers["content-type"] == f"multipart/x-mixed-replace; boundary={BOUNDARY}"
            shown = pictures_of(answer)
            assert number_of(next(shown)) == 4  # who comes late sees at once what there is
            film.write(numbered(7))
            assert number_of(next(shown)) == 7
            shown.close()
        wait_for(lambda: film.seats.taken == 0)


def test_many_visitors_share_each_picture() -> None:
    with served() as (url, _, sinks), contextlib.ExitStack() as visits:
        film = film_of(sinks)
        shown = [pictures_of(visits.enter_context(httpx.stream("GET", f"{url}stream"))) for _ in range(3)]
        wait_for(lambda: film.seats.taken == 3)
        film.write(numbered(1))
        assert [number_of(next(one)) for one in shown] == [1, 1, 1]
        assert film.encoded == 1
        for one in shown:
            one.close()


def test_a_stalled_visitor_gets_fewer_pictures_and_others_the_newest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_module, "_LEAST_S", 0.001)
    with served() as (url, _, sinks), connected(url):
        film = film_of(sinks)
        wait_for(lambda: film.seats.taken == 1)
        with httpx.stream("GET", f"{url}stream") as answer:
            shown = pictures_of(answer)
            for number in range(1, 41):
                film.write(numbered(number))
                while number_of(next(shown)) != number:
                    pass  # each one comes through, whoever else reads nothing
            shown.close()
        assert film.encoded >= 40


def test_a_visitor_who_reads_nothing_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_module, "_LEAST_S", 0.001)
    monkeypatch.setattr(PatientProtocol, "stalled_s", 0.2)
    with served() as (url, _, sinks), connected(url):
        film = film_of(sinks)
        wait_for(lambda: film.seats.taken == 1)
        numbers = iter(range(10**6))

        def go_on() -> bool:
            film.write(numbered(next(numbers) % 50))
            return film.seats.taken == 0

        wait_for(go_on)


def test_who_never_asks_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PatientProtocol, "request_s", 0.2)
    with served() as (url, _, _):
        where = urlsplit(url)
        for begun in (b"", b"GET / HTTP/1.1\r\nHost: local"):
            with socket.create_connection((where.hostname, where.port), timeout=20) as client:
                client.sendall(begun)
                with contextlib.suppress(ConnectionResetError):
                    assert client.recv(1) == b""
        # The second request of a connection may not dawdle either.
        with socket.create_connection((where.hostname, where.port), timeout=20) as client:
            client.sendall(f"GET /healthz HTTP/1.1\r\nHost: {where.netloc}\r\n\r\n".encode())
            assert b"200 OK" in client.recv(4096)
            client.sendall(b"GET /heal")
            with contextlib.suppress(ConnectionResetError):
                while client.recv(4096):
                    pass


def test_a_head_that_is_too_large_is_refused() -> None:
    with served() as (url, _, _):
        assert httpx.get(f"{url}healthz", headers={"x-long": "x" * 15_000}).status_code == 200
        assert httpx.get(f"{url}healthz", headers={"x-long": "x" * 17_000}).status_code == 431
        # One that does not end is refused while it comes.
        where = urlsplit(url)
        with socket.create_connection((where.hostname, where.port), timeout=20) as client:
            with contextlib.suppress(ConnectionError):
                for number in range(100):
                    client.sendall(b"GET /healthz HTTP/1.1\r\n" if not number else b"x-long: " + b"x" * 4000 + b"\r\n")
                    time.sleep(0.01)
            with contextlib.suppress(ConnectionError):
                assert client.recv(4096).startswith(b"HTTP/1.1 400")


def test_seats_are_bounded_and_said_to_be_taken() -> None:
    with served() as (url, _, sinks), contextlib.ExitStack() as visits:
        film = film_of(sinks)
        for _ in range(MOST_VISITORS):
            visits.enter_context(connected(url))
        wait_for(lambda: film.seats.taken == MOST_VISITORS)
        answer = httpx.get(f"{url}stream")
        assert answer.status_code == 503
        assert answer.json()["detail"] == "16 visitors watch already; close one of them, or wait"
        assert httpx.get(f"{url}api/state").status_code == 200
        visits.close()
        wait_for(lambda: film.seats.taken == 0)


class Ticking:
    """A camera at 200 frames a second for ever."""

    labels: tuple[str, ...] = ()
    live = True

    def shots(self, stop: threading.Event) -> Iterator[Shot]:
        index = 0
        while not stop.wait(0.005):
            image = NOISE.copy()
            image[0, 0] = index % 256
            yield Shot(Frame(image, index, time.monotonic()))
            index += 1

    def picture(self, image: Image, size: tuple[int, int]) -> Image:
        return image

    def now_s(self) -> float:
        return time.monotonic()


class Answering(Named):
    def answer(self, frames: np.ndarray) -> list[Prediction]:
        return [Prediction("a", 0, 0.9, np.array([0.9, 0.1, 0.0], np.float32))]


def test_a_run_goes_on_while_visitors_stall_and_ends_with_them_connected() -> None:
    live = Live(Slot(Answering()))

    class Until(Kept):
        def write(self, observation: Observation) -> None:
            self.observations.append(observation)
            if len(self.observations) == 300:
                live.stop.set()

    kept = Until()
    with contextlib.ExitStack() as visits:
        with served(live) as (url, _, sinks):
            film = film_of(sinks)
            for _ in range(4):
                visits.enter_context(connected(url))
                visits.enter_context(connected(url, "/api/events"))
            wait_for(lambda: film.seats.taken == 4)
            summary = run(live, lambda: nullcontext(Ticking()), [*sinks, kept], seconds=60, patience=Patience())
        assert summary.predicted == 300
        assert film.encoded > 0
        assert not [thread for thread in threading.enumerate() if thread.name in ("page", "pictures")]


def test_what_was_seen_last_is_shown_as_old_news_while_there_is_no_signal() -> None:
    with served() as (url, live, sinks):
        live.reception.good()
        for sink in sinks:
            sink.write(observation(image=np.full((48, 64, 3), (200, 30, 30), np.uint8)))
        with httpx.stream("GET", f"{url}stream") as answer:
            shown = pictures_of(answer)
            assert _colourful(next(shown))
            live.reception.lost("camera 5: unplugged")
            assert not _colourful(next(shown))
            shown.close()


def _colourful(picture: bytes) -> bool:
    image = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return bool((image.max(axis=2).astype(int) - image.min(axis=2)).mean() > 50)


@pytest.mark.parametrize(
    ("size", "shown"), [((1080, 1920), (540, 960)), ((480, 640), (480, 640)), ((8, 6), (427, 320))]
)
def test_pictures_are_as_large_as_a_page_needs(size: tuple[int, int], shown: tuple[int, int]) -> None:
    image = np.zeros((*size, 3), np.uint8)
    for trouble in (None, "NO SIGNAL since 12:00:00 UTC: " + "x" * 300):
        picture = jpeg(observation(image=image, score=0.5), trouble)
        assert cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR).shape[:2] == shown


def messages_of(answer: httpx.Response) -> Iterator[dict[str, str]]:
    message: dict[str, str] = {}
    for line in answer.iter_lines():
        if line:
            name, _, value = line.partition(": ")
            message[name] = value
        elif message:
            yield message
            message = {}


def happened(url: str, count: int, last_id: str | None = None) -> list[dict[str, str]]:
    headers = {} if last_id is None else {"last-event-id": last_id}
    found: list[dict[str, str]] = []
    with httpx.stream("GET", f"{url}api/events", headers=headers) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        for message in messages_of(answer):
            if message.get("event") == "happened":
                found.append(message)
            if len(found) == count:
                break
    return found


def test_events_are_replayed_from_where_a_browser_lost_them() -> None:
    with served() as (url, live, _):
        live.events.add("label", "a")
        live.events.add("alarm", "flicker\nid: 9")
        first = happened(url, 3)
        assert [json.loads(one["data"])["kind"] for one in first] == ["page", "label", "alarm"]
        assert json.loads(first[2]["data"])["text"] == "flicker\nid: 9"  # and no line of its own
        (again,) = happened(url, 1, first[1]["id"])
        assert again["id"] == first[2]["id"]
        # Of another run, or of none: all that are kept.
        for other in ("deadbeef-2", "2", "", f"{live.events.run}-", f"{live.events.run}-{'9' * 40}"):
            assert happened(url, 1, other)[0]["id"] == first[0]["id"]
        live.events.add("alarm-over", "")
        (newest,) = happened(url, 1, first[2]["id"])
        assert json.loads(newest["data"])["kind"] == "alarm-over"


def test_states_come_with_new_predictions_and_as_a_heartbeat() -> None:
    with served() as (url, live, sinks), httpx.stream("GET", f"{url}api/events") as answer:
        states = (json.loads(one["data"]) for one in messages_of(answer) if one.get("event") == "state")
        assert next(states)["kind"] == "waiting"
        for sink in sinks:
            sink.write(observation(3))
        live.summary.predicted = 1
        assert next(states)["now"]["index"] == 3
        assert next(states)["counts"]["predicted"] == 1  # two seconds later, though nothing is new
