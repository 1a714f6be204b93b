import os
import signal
import subprocess
import sys
import time

import pytest

from natadv.errors import ConnectError
from rigs.loopback import DISPLAY_PROCESS, run
from tests.displays import loopback_names


def gone(pid: int) -> bool:
    """Return whether a process has ended, or is about to be buried by who inherited it."""
    try:
        with open(f"/proc/{pid}/stat") as stat:  # noqa: PTH123
            return stat.read().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def await_gone(pid: int) -> None:
    for _ in range(600):
        if gone(pid):
            return
        time.sleep(0.05)
    pytest.fail(f"process {pid} still runs")


def test_the_display_is_taken_down_at_the_end_and_after_an_error():
    pids = []
    with pytest.raises(RuntimeError), loopback_names() as names:
        pids.append(int(names[DISPLAY_PROCESS]))
        raise RuntimeError
    with loopback_names() as names:
        pids.append(int(names[DISPLAY_PROCESS]))
    assert all(gone(pid) for pid in pids)


@pytest.mark.parametrize(
    ("script", "code"), [("pass", 0), ("raise SystemExit(7)", 7), ("import os; os.kill(os.getpid(), 9)", 137)]
)
def test_a_command_has_the_names_and_its_exit_code_is_ours(script, code):
    check = "import os; assert os.environ['LOOPBACK_TEST'] == 'here'; "
    assert run([sys.executable, "-c", check + script], {"LOOPBACK_TEST": "here"}) == code


def test_a_command_that_is_not_there_is_one_line():
    with pytest.raises(ConnectError, match="no-such-command: cannot be run"):
        run(["no-such-command"], {})


WAITS = "import os, sys, time; print(os.environ['NATADV_DISPLAY_PROCESS'], os.getpid(), flush=True); time.sleep(600)"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_whatever_ends_the_command_line_takes_the_display_down(number):
    with loopback_names():  # skips where there is none
        pass
    command = [sys.executable, "-c", "from natadv.cli import main; main()", "rig", "loopback", "--"]
    process = subprocess.Popen([*command, sys.executable, "-c", WAITS], stdout=subprocess.PIPE, text=True)
    display, waiting = (int(pid) for pid in process.stdout.readline().split())
    process.send_signal(number)
    process.wait()
    process.stdout.close()
    await_gone(display)
    if number == signal.SIGKILL:  # nobody could hand it on
        os.kill(waiting, signal.SIGKILL)
    await_gone(waiting)
