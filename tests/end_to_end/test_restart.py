"""A device whose call never returns: the process is replaced by a fresh one, which goes on to the end."""

import json
import os
import signal
import subprocess
import sys

import httpx
import pytest

from capture.journal import Reader
from rigs.archive import open_archive
from tests.console_page import wait_for
from tests.recording import begun

HANGING = """
import ctypes, os, pathlib, signal, sys, threading
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # also where these tests run under nohup
from rigs.camera.simulated import SimulatedCamera
import natadv.cli
read, left = SimulatedCamera.read, [20]
def hang(self):
    left[0] -= 1
    if left[0] == 0 and os.environ.get("NATADV_RESTARTS", "0") < "{times}":
        pathlib.Path(sys.argv[6] + ".hangs").touch()
        if "{where}" == "in C":  # where no signal is answered, as a lock is waited for
            lock, libc = ctypes.create_string_buffer(64), ctypes.CDLL(None)
            libc.pthread_mutex_lock(lock)
            libc.pthread_mutex_lock(lock)
        threading.Event().wait()
    return read(self)
SimulatedCamera.read = hang
natadv.cli.main()
"""


def _command(tmp_path, times, where="in Python"):
    begun(tmp_path)  # its rig and images; the session is another
    (tmp_path / "rules.yaml").write_text("limits: {camera_s: 1.5, grace_s: 0.5}\n")
    arguments = ["run", tmp_path / "rig.yaml", tmp_path / "images", "--out", tmp_path / "s", "--seconds", "0.3"]
    program = HANGING.replace("{times}", times).replace("{where}", where)
    command = [sys.executable, "-c", program, "capture", *map(str, arguments)]
    return [*command, "--rules", str(tmp_path / "rules.yaml")]


def _run(tmp_path, times, already="0"):
    environment = os.environ | {"NATADV_RESTARTS": already}
    command = _command(tmp_path, times)
    return subprocess.run(command, check=False, capture_output=True, timeout=120, env=environment)


@pytest.mark.parametrize(
    ("where", "how", "code", "outcome"),
    [
        ("in Python", "stop", 1, "emergency"),
        ("in C", "stop", 1, "emergency"),
        ("in Python", "end", 1, "ended"),
        ("in C", "signal", 130, "interrupted"),
        ("in C", "hang up", 130, "interrupted"),
    ],
)
def test_what_was_told_to_stop_does_not_start_again(tmp_path, where, how, code, outcome):
    command = [*_command(tmp_path, "9", where), "--page", "0"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        try:
            url = process.stderr.readline().rpartition(" ")[2].strip()
            wait_for((tmp_path / "s.hangs").exists)
            if how == "stop":
                httpx.post(f"{url}api/stop", timeout=30)
            elif how == "end":
                assert httpx.post(f"{url}api/wish/end", json={}, timeout=30).status_code == 200
            else:
                process.send_signal(signal.SIGTERM if how == "signal" else signal.SIGHUP)
            assert process.wait(60) == code
        finally:
            process.kill()
    events = list(Reader(tmp_path / "s").events())
    assert [event.kind for event in events].count("began") == 1
    assert (events[-1].kind, events[-1].outcome) == ("stopped", outcome)


def test_it_goes_on_in_a_fresh_process(tmp_path):
    done = _run(tmp_path, "1")
    assert done.returncode == 0, done.stderr.decode()
    assert b"4 images recorded" in done.stdout
    assert not open_archive(tmp_path / "s").missing()
    events = list(Reader(tmp_path / "s").events())
    began = [event for event in events if event.kind == "began"]
    assert len(began) == 2
    assert began[0].pid == began[1].pid
    assert any("the program starts again" in event.text for event in events)


def test_it_is_given_up_where_that_does_not_help(tmp_path):
    done = _run(tmp_path, "9", already="5")
    assert done.returncode == 1
    last = list(Reader(tmp_path / "s").events())[-1]
    assert (last.kind, last.outcome) == ("stopped", "failed")
    assert "started again 5 times" in last.reason
    assert json.loads((tmp_path / "s/session.json").read_text())["items"]
