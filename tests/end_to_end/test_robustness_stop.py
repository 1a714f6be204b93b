"""A robustness bench of several processes that is told to stop: none of them lives on, and it can be gone on with."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.colours import write_colours
from tests.console_page import wait_for
from tests.tiny_classifier import write_tiny_classifier


def children(pid: int) -> list[int]:
    return [int(one) for task in Path(f"/proc/{pid}/task").iterdir() for one in (task / "children").read_text().split()]


def alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rsplit(")", 1)[1].split()[0] != "Z"


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc for the processes")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_no_process_outlives_the_command(tmp_path, number, code):
    write_colours(tmp_path / "colours", each=4)
    command = [
        *(sys.executable, "-c", "import natadv.cli; natadv.cli.main()"),
        *("robustness", write_tiny_classifier(tmp_path / "tiny.onnx")),
        *("--data", tmp_path / "colours", "--attack", "zoo", "--defense", "shift", "--workers", "2"),
        *("--batch-size", "2", "--device", "cpu", "--out", tmp_path / "out"),
    ]
    with subprocess.Popen([*map(str, command)], stderr=subprocess.PIPE, text=True) as process:
        others = []
        try:
            wait_for(lambda: list((tmp_path / "out").glob("cache/*.jsonl")))
            others = children(process.pid)
            assert len(others) >= 2
            process.send_signal(number)
            _, said = process.communicate(timeout=60)
            wait_for(lambda: not any(map(alive, others)))
        finally:
            for one in filter(alive, [process.pid, *others]):
                os.kill(one, signal.SIGKILL)
    assert process.returncode == code
    assert f"stopped; the same command goes on with what {tmp_path / 'out'} holds" in said
