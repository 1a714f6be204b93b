"""A server of H.264 over RTSP (RFC 2326), interleaved in its one connection; FFmpeg makes the packets of RTP.

FFmpeg can send a stream to an RTSP server but is none, and what it knows of listening ends with the first viewer.
"""

import socketserver
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from fractions import Fraction
from typing import Final

import av
import numpy as np

_CLOCK_HZ: Final = 90_000  # of RTP video
_PACKET: Final = 1400  # bytes
_RTCP: Final = range(192, 224)  # kinds of packets that tell of a stream (RFC 5761, Sec. 4)
_SDP: Final = "\r\n".join(
    [
        "v=0",
        "o=- 0 0 IN IP4 127.0.0.1",
        "s=camera",
        "c=IN IP4 127.0.0.1",
        "t=0 0",
        "m=video 0 RTP/AVP 96",
        "a=rtpmap:96 H264/90000",
        "a=fmtp:96 packetization-mode=1",
        "a=control:track",
        "",
    ]
)


def access_units(pictures: Sequence[np.ndarray]) -> list[bytes]:
    """Return pictures, RGB of one size, as H.264, an access unit each; the first begins anew whatever came before."""
    height, width = pictures[0].shape[:2]
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.time_base = Fraction(1, 30)
    encoder.options = {"preset": "veryfast", "tune": "zerolatency", "g": str(len(pictures)), "sc_threshold": "0"}
    found = []
    for number, picture in enumerate(pictures):
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        frame.pts = number
        found += [bytes(packet) for packet in encoder.encode(frame)]
    return found + [bytes(packet) for packet in encoder.encode(None)]


class RtspServer(socketserver.ThreadingTCPServer):
    """Shows a film to everyone who comes."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, port: int, show: Callable[[], Iterator[bytes]], away: Callable[[], bool]) -> None:
        """Listen on the loopback.

        Args:
            port: to listen on.
            show: begins the film for a viewer: access units, each at its time. Where it ends, the viewer is dropped.
            away: whether nobody is answered.
        """
        self.show, self.away = show, away
        super().__init__(("127.0.0.1", port), _Viewer)


class _Viewer(socketserver.StreamRequestHandler):
    server: RtspServer

    def handle(self) -> None:
        """Answer requests until the viewer goes, or the film ends."""
        self._lock = threading.Lock()
        self._over = threading.Event()
        if self.server.away():
            return
        with suppress(OSError, ValueError):  # the viewer has gone, or what he says is no RTSP
            while not self._over.is_set() and (request := self._request()) is not None:
                self._answer(*request)
        self._over.set()

    def _request(self) -> tuple[str, str] | None:
        """Return the next one's method and number; None: there is none."""
        method = self.rfile.readline().decode().partition(" ")[0]
        heads = {}
        while line := self.rfile.readline().decode().strip():
            name, _, value = line.partition(":")
            heads[name.lower()] = value.strip()
        return (method, heads["cseq"]) if method else None

    def _answer(self, method: str, number: str) -> None:
        more, body = {}, ""
        if method == "OPTIONS":
            more["Public"] = "DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER"
        elif method == "DESCRIBE":
            more, body = {"Content-Type": "application/sdp"}, _SDP
        elif method == "SETUP":
            more = {"Transport": "RTP/AVP/TCP;unicast;interleaved=0-1", "Session": "1;timeout=60"}
        heads = "".join(f"{name}: {value}\r\n" for name, value in more.items())
        said = f"RTSP/1.0 200 OK\r\nCSeq: {number}\r\n{heads}Content-Length: {len(body)}\r\n\r\n{body}"
        self._send(said.encode())
        if method == "PLAY":
            threading.Thread(target=self._play, daemon=True).start()
        elif method == "TEARDOWN":
            self._over.set()

    def _send(self, data: bytes) -> None:
        with self._lock:
            self.wfile.write(data)

    def _play(self) -> None:
        begin_s, last = time.monotonic(), -1
        options = {"packetsize": str(_PACKET)}
        sent = _Interleaved(self._send)
        with (
            suppress(OSError),
            av.open(sent, "w", format="rtp", options=options, buffer_size=_PACKET) as container,
        ):
            stream = container.add_stream("libx264", rate=30)
            container.start_encoding()
            for data in self.server.show():
                if self._over.is_set():
                    break
                packet = av.Packet(data)
                last = max(last + 1, int((time.monotonic() - begin_s) * _CLOCK_HZ))
                packet.stream, packet.time_base = stream, Fraction(1, _CLOCK_HZ)
                packet.pts = packet.dts = last
                container.mux(packet)
        self._over.set()
        with suppress(OSError):
            self.connection.shutdown(2)


class _Interleaved:
    """Takes packets from FFmpeg, and gives them their place in the connection."""

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self._send = send

    def write(self, packet: bytes) -> int:
        """Send one: its pictures on the first channel, what is told of it on the second."""
        channel = 1 if packet[1] in _RTCP else 0
        self._send(b"$" + bytes([channel]) + len(packet).to_bytes(2, "big") + bytes(packet))
        return len(packet)
