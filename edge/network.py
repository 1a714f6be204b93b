"""A network camera by its address: RTSP, or video over HTTP (MJPEG too), at low latency.

A frame's time: of RTSP the stream's own clock tells how far apart frames were taken; when that clock began we learn
from the frame that came through quickest, so a frame that waited on its way is known to be older. What all of them wait
is not: FFmpeg hands a frame of H.264 over RTSP on when the next one begins, so it is a frame older than it looks. MJPEG
over HTTP has no clock: there it is the time of arrival.
"""

import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from typing import Any

import av

from edge.source import Shot
from edge.whole_frames import WholeFrames
from rigs.camera.stream import Stream, open_stream
from rigs.camera.timebase import DeviceClock
from rigs.frame import Frame


class NetworkCamera(WholeFrames):
    """Frames of an open stream."""

    labels: tuple[str, ...] = ()
    live = True

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def shots(self, stop: threading.Event) -> Generator[Shot, None, None]:
        """Yield frames until `stop`, the stream's end, or silence.

        Raises:
            FrameTimeoutError: if the stream falls silent or breaks.
        """
        clock = DeviceClock()
        for index, (image, stream_s) in enumerate(self._stream.pictures()):
            if stop.is_set():
                return
            now_s = self.now_s()
            yield Shot(Frame(image, index, now_s if stream_s is None else clock.at(stream_s, now_s)))


@contextmanager
def open_network(
    address: str, *, options: dict[str, str] | None = None, connect: Callable[..., Any] = av.open
) -> Iterator[NetworkCamera]:
    """Open a stream and let it go at the end; the arguments are `open_stream`'s.

    Raises:
        ConnectError: if it cannot be reached or is no video.
    """
    with closing(open_stream(address, options=options, connect=connect)) as stream:
        yield NetworkCamera(stream)
