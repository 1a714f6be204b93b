"""`natadv edge run --page` as a process: a page while it runs, a quick end, and one line for what is wrong."""

import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import av
import httpx
import numpy as np
import pytest

from edge.page.address import is_loopback, parse_address, read_token
from natadv.errors import ConfigError
from tests.live_page import TOKEN
from tests.tiny_bundle import BLUE, GREEN, RED, plain, write_tiny_bundle

COMMAND = [sys.executable, "-c", "from natadv.cli import main; main()", "edge", "run"]


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return write_tiny_bundle(tmp_path / "bundle")


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """Two minutes of red, green and blue, a second of each."""
    path = tmp_path / "film.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264rgb", rate=10, options={"crf": "0", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 32, 24, "rgb24"
        for number in range(1200):
            image = plain((RED, GREEN, BLUE)[number // 10 % 3], (24, 32))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")))
        container.mux(stream.encode(None))
    return path


@contextmanager
def running(*args: object, **environment: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run it, and give the process and the page's address."""
    with subprocess.Popen(
        [*COMMAND, *map(str, args)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | environment,
    ) as process:
        try:
            assert process.stderr is not None
            for line in process.stderr:
                if " page: " in line:
                    break
            yield process, line.split(" page: ")[1].strip()
        finally:
            process.kill()


def test_it_is_served_while_it_runs_and_ends_at_once_with_visitors(bundle: Path, film: Path, tmp_path: Path) -> None:
    bundles = tmp_path / "bundles"
    bundles.mkdir()
    write_tiny_bundle(bundles / "second", ("red", "green", "azure"))
    write_tiny_bundle(bundles / "torn")
    (bundles / "torn" / "model.onnx").write_bytes(b"torn")
    with running(bundle, "--source", film, "--page", "0", "--bundles", bundles) as (process, url):
        where = urlsplit(url)
        assert where.hostname == "127.0.0.1"
        with socket.create_connection((where.hostname, where.port)) as stalled:
            stalled.sendall(f"GET /stream HTTP/1.1\r\nHost: {where.netloc}\r\n\r\n".encode())
            with httpx.stream("GET", f"{url}stream") as film_answer:
                begin = next(film_answer.iter_raw(2000))
                assert b"\xff\xd8" in begin  # as a JPEG begins
                wait_for(lambda: httpx.get(f"{url}readyz").status_code == 200)
                assert httpx.get(f"{url}api/state").json()["now"]["steady"] in (None, "red", "green", "blue")
                refused = httpx.post(f"{url}api/model", json={"bundle": "torn"}, timeout=30)
                assert (refused.status_code, "not the bytes" in refused.json()["detail"]) == (409, True)
                swapped = httpx.post(f"{url}api/model", json={"bundle": "second"}, timeout=30)
                assert (swapped.status_code, swapped.json()["labels"][2]) == (200, "azure")
                with httpx.stream("GET", f"{url}api/events") as events:
                    assert "retry" in next(events.iter_lines())
                    process.send_signal(signal.SIGTERM)
                    assert process.wait(timeout=20) == 0
        assert process.stderr is not None
        said = process.stderr.read()
    assert "1 models swapped in" in said
    assert "Traceback" not in said
    assert "ERROR" not in said


def test_it_is_served_by_tls_to_who_knows_the_token(bundle: Path, film: Path, tmp_path: Path) -> None:
    key, cert, token = tmp_path / "key.pem", tmp_path / "cert.pem", tmp_path / "token"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout",
         key, "-out", cert, "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip
    token.write_text(TOKEN + "\n")
    args = ("--page", "127.0.0.1:0", "--page-token-file", token, "--page-cert", cert, "--page-key", key)
    with running(bundle, "--source", film, *args) as (_, url):
        assert url.startswith("https://127.0.0.1:")
        with httpx.Client(verify=ssl.create_default_context(cafile=str(cert))) as visitor:
            assert visitor.get(f"{url}api/state").status_code == 401
            assert visitor.post(f"{url}login", data={"token": TOKEN}).status_code == 303
            assert visitor.get(f"{url}api/state").status_code == 200


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--page", "0.0.0.0:0"], "others could reach the page; give a token"),
        (["--page", "[::]:0"], "others could reach the page; give a token"),
        (["--page", "http"], "expected PORT or HOST:PORT"),
        (["--page", "70000"], "expected PORT or HOST:PORT"),
        (["--page", "203.0.113.7:0", "--page-token-file", "{token}"], "cannot be used"),
        (["--page", "0", "--page-token-file", "{short}"], "expected a token of 16"),
        (["--page", "0", "--page-token-file", "{missing}"], "no token can be read"),
        (["--page", "0", "--page-cert", "{token}"], "give both, or neither"),
        (["--page", "0", "--page-cert", "{token}", "--page-key", "{token}"], "no certificate with its key"),
        (["--page", "0", "--bundles", "{missing}"], "no such folder"),
        (["--bundles", "{missing}"], "--bundles: is for the page alone"),
        (["--page", "{taken}"], "cannot be used (Address already in use)"),
    ],
)
def test_what_is_wrong_is_one_line(bundle: Path, film: Path, tmp_path: Path, args: list[str], said: str) -> None:
    (tmp_path / "token").write_text(TOKEN)
    (tmp_path / "short").write_text("short")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        words = {name: str(tmp_path / name) for name in ("token", "short", "missing")}
        words["taken"] = str(taken.getsockname()[1])
        filled = [word.format(**words) for word in args]
        environment = {name: value for name, value in os.environ.items() if name != "NATADV_PAGE_TOKEN"}
        done = subprocess.run(
            [*COMMAND, str(bundle), "--source", str(film), *filled],
            capture_output=True, text=True, check=False, timeout=60, env=environment,
        )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert said in done.stderr


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("8080", ("127.0.0.1", 8080)),
        (":8080", ("127.0.0.1", 8080)),
        ("0.0.0.0:1", ("0.0.0.0", 1)),
        ("[::1]:8080", ("::1", 8080)),
        ("device.local:80", ("device.local", 80)),
    ],
)
def test_an_address_is_read(text: str, found: tuple[str, int]) -> None:
    assert parse_address(text) == found


@pytest.mark.parametrize("text", ["", "a", "1.5", "::1:80", "host:", "-1", "65536", "٣"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="expected PORT or HOST:PORT"):
        parse_address(text)


@pytest.mark.parametrize("variable", ["short", "has a blank in it, which no header", "ünïcode-ünïcode-ünïcode"])
def test_a_token_that_is_none_is_refused(variable: str) -> None:
    with pytest.raises(ConfigError, match="NATADV_PAGE_TOKEN: expected a token of 16"):
        read_token(None, variable)


def test_the_file_counts_more_than_the_environment(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    assert read_token(tmp_path / "token", "another-token-of-more") == TOKEN
    assert read_token(None, "another-token-of-more\n") == "another-token-of-more"
    assert read_token(None, None) is None


def test_loopback_is_known_by_all_its_names() -> None:
    assert all(is_loopback(host) for host in ("localhost", "127.0.0.1", "127.9.9.9", "::1", "[::1]"))
    assert not any(is_loopback(host) for host in ("0.0.0.0", "::", "10.0.0.1", "localhost.example", ""))


def wait_for(condition) -> None:  # type: ignore[no-untyped-def]
    end_s = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end_s, "it did not come about"
        time.sleep(0.05)
