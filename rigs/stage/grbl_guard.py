"""A process that outlives the one that drives a stage, to stop it where that one was killed.

It holds the open port and waits at a pipe. A driver that lets go says so; a pipe that ends without a word means that
its process is gone, however it went: then comes a feed hold and, when the plate has come to rest, a soft reset, which
shuts all outputs too. It is run by its path and needs the standard library alone, so it starts quickly.
"""

import contextlib
import os
import subprocess
import sys
import time
from typing import IO

_LEFT = b"bye\n"
_END_S = 5.0
_AGAIN_S = 0.02


class Guard:
    """The guard of one open port.

    Args:
        port: file descriptor of the open port.
        brake_s: how long the plate takes to come to rest.
    """

    def __init__(self, port: int, brake_s: float) -> None:
        # A session of its own: Ctrl-C in the terminal is for the driver, which tidies up itself.
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__, str(port), str(brake_s)],
            stdin=subprocess.PIPE,
            pass_fds=(port,),
            start_new_session=True,
        )

    def close(self) -> None:
        """Send it home."""
        try:
            self._process.communicate(_LEFT, timeout=_END_S)
        except (OSError, ValueError, subprocess.TimeoutExpired):  # it is gone, or hangs at a port that is gone
            self._process.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):  # a system that does not let go of the port
                self._process.wait(_END_S)


def watch(pipe: IO[bytes], port: int, brake_s: float) -> None:
    """Wait for the pipe's end, and stop the controller behind `port` if it ends without a word."""
    if pipe.read() == _LEFT:
        return
    # What cannot be held, as the line is full, is reset all the same.
    with contextlib.suppress(OSError):
        os.write(port, b"!")
    time.sleep(brake_s)
    end_s = time.monotonic() + _END_S
    while True:
        try:
            os.write(port, b"\x18")
        except BlockingIOError:
            if time.monotonic() > end_s:
                raise
            time.sleep(_AGAIN_S)
        else:
            return


if __name__ == "__main__":
    watch(sys.stdin.buffer, int(sys.argv[1]), float(sys.argv[2]))
