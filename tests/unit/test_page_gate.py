"""Who connects and says nothing keeps nobody out."""

import contextlib
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from edge.page.gate import MOST, MOST_OF_ONE, Gate
from tests.live_page import TOKEN, served


def addresses(url: str) -> tuple[str, int]:
    where = urlsplit(url)
    assert where.hostname is not None
    assert where.port is not None
    return where.hostname, where.port


@contextlib.contextmanager
def silent(url: str, count: int, said: bytes = b"") -> Iterator[list[socket.socket]]:
    """Hold so many connections open that say no more than that."""
    with contextlib.ExitStack() as held:
        visitors = []
        for _ in range(count):
            visitors.append(held.enter_context(socket.create_connection(addresses(url), timeout=20)))
            visitors[-1].sendall(said)
        yield visitors


def is_cut(visitor: socket.socket) -> bool:
    """Return whether a connection ended, waiting a moment for it."""
    visitor.settimeout(0.01)
    try:
        while visitor.recv(4096):
            pass
    except TimeoutError:
        return False
    except ConnectionError:
        return True
    return True


HEALTHZ = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
UNENDING = b"POST /api/model HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\n{"


@pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\nHost: local", HEALTHZ, UNENDING])
def test_many_who_say_no_more_keep_nobody_out(said: bytes) -> None:
    with served() as (url, _, _), silent(url, 2 * MOST, said) as visitors:
        assert httpx.get(f"{url}healthz").text == "alive\n"
        end_s = time.monotonic() + 20
        while (left := sum(not is_cut(one) for one in visitors)) > MOST_OF_ONE and time.monotonic() < end_s:
            pass
        assert 0 < left < MOST_OF_ONE  # file descriptors are bounded, and the one who asked had a place


def test_who_is_being_answered_is_not_cut_off() -> None:
    with served() as (url, _, _), httpx.stream("GET", f"{url}api/events") as answer:
        lines = answer.iter_lines()
        next(lines)
        with silent(url, 2 * MOST):
            assert httpx.get(f"{url}healthz").status_code == 200
            for _ in range(20):  # a state comes every two seconds
                if next(lines).startswith("event: state"):
                    break
            else:
                raise AssertionError("no state came")


def test_handshakes_that_never_end_keep_nobody_out(tmp_path: Path) -> None:
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout",
         key, "-out", cert, "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip
    with served(cert=cert, key=key, token=TOKEN) as (url, _, _), silent(url, 2 * MOST) as visitors:
        with httpx.Client(verify=ssl.create_default_context(cafile=str(cert))) as visitor:
            assert visitor.get(f"{url}healthz").text == "alive\n"
        assert sum(not is_cut(one) for one in visitors) < MOST_OF_ONE


def test_where_nobody_waits_who_comes_is_turned_away_by_address_and_in_all() -> None:
    with (
        socket.create_server(("0.0.0.0", 0)) as listener,  # loopback has many addresses
        Gate(listener, most=3, most_of_one=2) as gate,
        contextlib.ExitStack() as held,
    ):

        def come(source: str) -> tuple[str, int]:
            to = ("127.0.0.1", listener.getsockname()[1])
            client = held.enter_context(socket.create_connection(to, source_address=(source, 0)))
            name: tuple[str, int] = client.getsockname()
            accepted, _ = gate.accept()
            held.enter_context(accepted)
            gate.tell(name, owes=False)
            return name

        first = come("127.0.0.1")
        come("127.0.0.1")
        with pytest.raises(ConnectionAbortedError):
            come("127.0.0.1")
        come("127.0.0.2")
        with pytest.raises(ConnectionAbortedError):
            come("127.0.0.3")
        gate.tell(first, owes=True)
        come("127.0.0.3")
        with pytest.raises(ConnectionAbortedError):
            come("127.0.0.4")
