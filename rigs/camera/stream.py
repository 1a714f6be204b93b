"""A stream of video by its address: RTSP, or video over HTTP (MJPEG too), by PyAV, at low latency.

Cameras of rigs and live runs read it. RTSP has a clock: it tells how far apart frames were taken. MJPEG over HTTP has
none (players invent 25 frames a second): there is nothing but the time of arrival.
"""

from collections.abc import Callable, Generator
from typing import Any, Final

import av

from natadv.errors import ConnectError, FrameTimeoutError
from natadv.images import Image
from rigs.camera.address import public
from rigs.decoded import rgb

_OPEN_S: Final = 10.0
_READ_S: Final = 5.0
_CLOCKLESS: Final = ("mjpeg", "mpjpeg", "image2pipe", "jpeg_pipe")


class Stream:
    """A stream that is open."""

    def __init__(self, container: Any, name: str, read_s: float) -> None:
        self._container = container
        self._name = name
        self._read_s = read_s

    def pictures(self) -> Generator[tuple[Image, float | None], None, None]:
        """Yield images, each with the time by the stream's clock, in seconds, where it has one; call it once.

        Raises:
            FrameTimeoutError: if the stream falls silent or breaks.
        """
        stream = self._container.streams.video[0]
        stream.thread_type = "SLICE"  # frame threads would each hold one back
        stream.codec_context.flags |= av.codec.context.Flags.low_delay
        has_clock = self._container.format.name not in _CLOCKLESS
        count = 0
        try:
            for picture in self._container.decode(stream):
                yield rgb(picture), picture.time if has_clock else None
                count += 1
        except av.error.ExitError as error:  # FFmpeg was told so by PyAV, whose patience was over
            raise FrameTimeoutError(f"{self._name}: fell silent for {self._read_s:g} s after {count} frames") from error
        except (av.FFmpegError, OSError) as error:
            raise FrameTimeoutError(f"{self._name}: broke off after {count} frames ({_words(error)})") from error

    def close(self) -> None:
        """Let it go; may be called twice."""
        self._container.close()


def open_stream(
    address: str,
    *,
    options: dict[str, str] | None = None,
    read_s: float = _READ_S,
    connect: Callable[..., Any] = av.open,
) -> Stream:
    """Open a stream.

    Args:
        address: URL; what is secret in it is never printed.
        options: of FFmpeg, beside ours.
        read_s: silence of that length is an error.
        connect: stands in for `av.open` in tests.

    Raises:
        ConnectError: if it cannot be reached or is no video.
    """
    name = public(address)
    chosen = {"fflags": "nobuffer", "flags": "low_delay", **(options or {})}
    if address.lower().startswith("rtsp"):
        chosen.setdefault("rtsp_transport", "tcp")  # lost packets of UDP show as torn pictures
    try:
        container = connect(address, options=chosen, timeout=(_OPEN_S, read_s))
    except (av.FFmpegError, OSError, ValueError) as error:
        raise ConnectError(f"{name}: cannot be opened ({_words(error)}); is the camera there?") from error
    if not container.streams.video:
        container.close()
        raise ConnectError(f"{name}: has no video")
    return Stream(container, name, read_s)


def _words(error: BaseException) -> str:
    """Return what went wrong, without the address that FFmpeg repeats in its errors."""
    if isinstance(error, av.error.ExitError):
        return "no answer in time"
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text).splitlines()[0][:200]
