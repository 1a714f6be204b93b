"""A network camera by its address: RTSP, or video over HTTP (MJPEG too), by PyAV, at low latency.

A frame's time: of RTSP the stream's own clock tells how far apart frames were taken; when that clock began we learn
from the frame that came through quickest, so a frame that waited on its way is known to be older. MJPEG over HTTP has
no clock (players invent 25 a second): there it is the time of arrival.
"""

import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import av

from edge.source import Shot
from edge.whole_frames import WholeFrames
from natadv.errors import ConnectError, FrameTimeoutError
from rigs.decoded import rgb
from rigs.frame import Frame

SCHEMES: Final = ("rtsp", "rtsps", "http", "https", "rtmp", "srt", "udp", "tcp")
_OPEN_S: Final = 10.0
_READ_S: Final = 5.0
_DRIFT: Final = 1e-3  # seconds a second that two clocks may differ by
_CLOCKLESS: Final = ("mjpeg", "mpjpeg", "image2pipe", "jpeg_pipe")


class NetworkCamera(WholeFrames):
    """Frames of an open stream."""

    labels: tuple[str, ...] = ()
    live = True

    def __init__(self, container: Any, name: str) -> None:
        self._container = container
        self._name = name

    def shots(self, stop: threading.Event) -> Generator[Shot, None, None]:
        """Yield frames until `stop`, the stream's end, or silence.

        Raises:
            FrameTimeoutError: if the stream falls silent or breaks.
        """
        stream = self._container.streams.video[0]
        stream.thread_type = "SLICE"  # frame threads would each hold one back
        stream.codec_context.flags |= av.codec.context.Flags.low_delay
        clock = Clock() if self._container.format.name not in _CLOCKLESS else None
        index = 0
        try:
            for picture in self._container.decode(stream):
                if stop.is_set():
                    return
                now_s = self.now_s()
                at_s = now_s if clock is None or picture.time is None else clock.at(picture.time, now_s)
                yield Shot(Frame(rgb(picture), index, at_s))
                index += 1
        except (av.FFmpegError, OSError) as error:
            raise FrameTimeoutError(f"{self._name}: broke off after {index} frames ({_words(error)})") from error


class Clock:
    """Places a stream's own times on ours, by the frame that came through quickest of late."""

    def __init__(self) -> None:
        self._offset_s: float | None = None
        self._last_s = 0.0

    def at(self, stream_s: float, now_s: float) -> float:
        """Return when a frame was taken, by our clock; never later than `now_s`, when it came."""
        here_s = now_s - stream_s
        if self._offset_s is None:
            self._offset_s = here_s
        else:
            self._offset_s = min(here_s, self._offset_s + _DRIFT * (now_s - self._last_s))
        self._last_s = now_s
        return stream_s + self._offset_s


@contextmanager
def open_network(
    address: str, *, options: dict[str, str] | None = None, connect: Callable[..., Any] = av.open
) -> Iterator[NetworkCamera]:
    """Open a stream and let it go at the end.

    Args:
        address: URL; a user and password in it are never printed.
        options: of FFmpeg, beside ours.
        connect: stands in for `av.open` in tests.

    Raises:
        ConnectError: if it cannot be reached or is no video.
    """
    name = public(address)
    chosen = {"fflags": "nobuffer", "flags": "low_delay", **(options or {})}
    if urlsplit(address).scheme.startswith("rtsp"):
        chosen.setdefault("rtsp_transport", "tcp")  # lost packets of UDP show as torn pictures
    try:
        container = connect(address, options=chosen, timeout=(_OPEN_S, _READ_S))
    except (av.FFmpegError, OSError, ValueError) as error:
        raise ConnectError(f"{name}: cannot be opened ({_words(error)}); is the camera there?") from error
    try:
        if not container.streams.video:
            raise ConnectError(f"{name}: has no video")
        yield NetworkCamera(container, name)
    finally:
        container.close()


def public(address: str) -> str:
    """Return an address without the user and password that it may hold."""
    parts = urlsplit(address)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _words(error: BaseException) -> str:
    """Return what went wrong, without the address that FFmpeg repeats in its errors."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text).splitlines()[0][:200]
