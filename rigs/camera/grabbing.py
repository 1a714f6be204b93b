"""`python -m rigs.camera.grabbing FD`: the process that grabs an X display for the `x11` camera.

It holds no OpenCV: its wheel and PyAV's both bring a libxcb-shm of one name, bound to different libxcb's, and whichever
is loaded first serves both, so that x11grab crashes in a process that has loaded OpenCV before.

The line, FD, carries ("open", display, options) and then, the other way, ("opened", width, height, pixel format) or
("failed", why), and for each packet (its number, wall clock in seconds, bytes of a line of pixels, the pixels).
Packets are sent by a thread of their own, so that a session that is held up does not hold up the grabbing; beyond
`_WAITING` of them they are lost, and their numbers are missing.
"""

import contextlib
import os
import queue
import signal
import sys
import threading
from multiprocessing.connection import Connection
from typing import Any, Final

import av

_PRIORITY: Final = 10
_WAITING: Final = 30


def main() -> None:
    """Grab until the line ends."""
    # Ctrl-C is for the session, which closes its camera itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Frames are due on time whatever else the machine does; without the right to it, late ones are counted as lost.
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(_PRIORITY))
    line: Connection[Any, Any] = Connection(int(sys.argv[1]))
    try:
        _, display, options = line.recv()
        try:
            container = av.open(display, format="x11grab", options=options)
        except av.FFmpegError as error:
            line.send(("failed", error.strerror))
            return
        with container:
            stream = container.streams.video[0]
            line.send(("opened", stream.width, stream.height, stream.pix_fmt))
            packets: queue.Queue[Any] = queue.Queue(_WAITING)
            sender = threading.Thread(target=_send, args=(line, packets), daemon=True)
            sender.start()
            for number, frame in enumerate(container.decode(stream)):
                if not sender.is_alive():
                    return
                plane = frame.planes[0]
                with contextlib.suppress(queue.Full):
                    stamp_s = (frame.pts or 0) * float(frame.time_base or 0)
                    packets.put_nowait((number, stamp_s, plane.line_size, bytes(plane)))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return


def _send(line: "Connection[Any, Any]", packets: "queue.Queue[Any]") -> None:
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        while True:
            line.send(packets.get())


if __name__ == "__main__":
    main()
