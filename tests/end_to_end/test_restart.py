"""A device whose call never returns: the process is replaced by a fresh one, which goes on to the end."""

import json
import os
import subprocess
import sys

from capture.journal import Reader
from rigs.archive import open_archive
from tests.recording import begun

HANGING = """
import os, threading
from rigs.camera.simulated import SimulatedCamera
import natadv.cli
read, left = SimulatedCamera.read, [20]
def hang(self):
    left[0] -= 1
    if left[0] == 0 and os.environ.get("NATADV_RESTARTS", "0") < "{times}":
        threading.Event().wait()
    return read(self)
SimulatedCamera.read = hang
natadv.cli.main()
"""


def _run(tmp_path, times, already="0"):
    begun(tmp_path)  # its rig and images; the session is another
    (tmp_path / "rules.yaml").write_text("limits: {camera_s: 1.5, grace_s: 0.5}\n")
    arguments = [tmp_path / "rig.yaml", tmp_path / "images", "--out", tmp_path / "s", "--seconds", "0.3"]
    command = [sys.executable, "-c", HANGING.replace("{times}", times), "capture", "run", *map(str, arguments)]
    environment = os.environ | {"NATADV_RESTARTS": already}
    command += ["--rules", str(tmp_path / "rules.yaml")]
    return subprocess.run(command, check=False, capture_output=True, timeout=120, env=environment)


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
