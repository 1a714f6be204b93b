"""`natadv capture run --page` and `natadv capture console` as processes: a page meanwhile, none after."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from rigs.archive import open_archive
from tests.console_page import TOKEN, wait_for
from tests.rig_files import image_folder, small_rig

COMMAND = [sys.executable, "-c", "from natadv.cli import main; main()", "capture"]


@contextmanager
def running(*args: object, **environment: str) -> Iterator[tuple["subprocess.Popen[str]", str]]:
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
            line = process.stderr.readline()
            assert line.startswith("the operator's page: "), line
            yield process, line.removeprefix("the operator's page: ").strip()
        finally:
            process.kill()


def state(url: str) -> dict:  # type: ignore[type-arg]
    found: dict = httpx.get(f"{url}api/state", timeout=30).json()  # type: ignore[type-arg]
    return found


def test_a_console_shows_the_rig_and_begins_the_session_that_it_was_given(tmp_path: Path) -> None:
    rig, images = small_rig(tmp_path), image_folder(tmp_path / "images")
    given = (images, "--out", tmp_path / "session", "--seconds", "0.2", "--count", "2")
    with running("console", rig, *given, "--page", "0") as (process, url):
        wait_for(lambda: state(url)["view"] is not None)
        assert (state(url)["standing"], state(url)["session"]) == ("preview", None)
        assert httpx.post(f"{url}api/wish/start", json={}).status_code == 200
        assert process.wait(120) == 0
        with pytest.raises(httpx.ConnectError):
            httpx.get(url)
    archive = open_archive(tmp_path / "session")
    assert len(archive.complete_items()) == 2
    assert all(record.lost == 0 for record in archive.records())


def test_a_console_exits_as_the_session_that_it_began_did(tmp_path: Path) -> None:
    rig, images = small_rig(tmp_path), image_folder(tmp_path / "images")
    with running("console", rig, images, "--out", tmp_path / "session", "--page", "0") as (process, url):
        wait_for(lambda: state(url)["view"] is not None)
        assert httpx.post(f"{url}api/stop", timeout=30).status_code == 200
        assert process.wait(60) == 1


def test_an_emergency_stop_of_a_session_ends_the_command_and_it_can_be_gone_on_with(tmp_path: Path) -> None:
    rig, images = small_rig(tmp_path), image_folder(tmp_path / "images", each=20)
    run = ("run", rig, images, "--out", tmp_path / "session", "--seconds", "0.2")
    with running(*run, "--page", "0") as (process, url):
        wait_for(lambda: state(url)["done"] >= 1)
        answer = httpx.post(f"{url}api/stop", timeout=30)
        assert answer.json() == {"detail": "the stage stands and the sprayer is shut", "unstopped": []}
        assert process.wait(60) == 1
    done = len(open_archive(tmp_path / "session").complete_items())
    assert 1 <= done < 40
    with running(*run, "--resume", "--page", "0") as (process, url):
        wait_for(lambda: state(url)["done"] > done)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 130


@pytest.mark.parametrize("how", ["end", "signal"])
def test_a_console_of_a_rig_alone_ends_when_it_is_told_to(tmp_path: Path, how: str) -> None:
    token = {"NATADV_PAGE_TOKEN": TOKEN}
    with running("console", small_rig(tmp_path), "--page", "0", **token) as (process, url):
        assert httpx.get(f"{url}api/state").status_code == 401
        known = {"authorization": f"Bearer {TOKEN}"}
        found = httpx.get(f"{url}api/state", headers=known).json()
        assert (found["standing"], found["can"]) == ("preview", ["end"])
        if how == "end":
            assert httpx.post(f"{url}api/wish/end", json={}, headers=known).status_code == 200
        else:
            process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--wait",), "--wait: start is pressed on the page"),
        (("--page", "0.0.0.0:0"), "others could reach the page"),
        (("--page", "x"), "expected PORT or HOST:PORT"),
        (("--page-cert", "cert.pem"), "is for the page alone"),
    ],
)
def test_what_is_wrong_is_said_in_a_line_and_nothing_is_recorded(
    tmp_path: Path, args: tuple[str, ...], said: str
) -> None:
    out = tmp_path / "session"
    run = ["run", small_rig(tmp_path), image_folder(tmp_path / "images"), "--out", out, *args]
    environment = {name: value for name, value in os.environ.items() if name != "NATADV_PAGE_TOKEN"}
    done = subprocess.run(
        [*COMMAND, *map(str, run)], capture_output=True, text=True, timeout=120, check=False, env=environment
    )
    assert done.returncode == 1
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert not out.exists()
