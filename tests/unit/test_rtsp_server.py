"""The RTSP server of the soak's camera: who comes sees the film, is dropped at its end, and may come again."""

import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest

from edge.network import open_network
from natadv.errors import ConnectError
from rigs.camera.stream import open_stream
from tests.free_port import free_port

# In a process of its own: PyAV holds Python's lock while it connects. At 25 a second the same fifteen pictures again
# and again, of which FFmpeg lets a second go to look what comes, then fifteen of another size; the third viewer finds
# nobody.
_SERVER = """
import sys, time
import numpy as np
from benchmarks.rtsp_server import RtspServer, access_units
def pictures(height, width):
    return [np.full((height, width, 3), 10 * number, np.uint8) for number in range(15)]
films = 4 * access_units(pictures(48, 64)) + access_units(pictures(64, 96))
viewers = []
def show():
    viewers.append(1)
    for unit in films:
        yield unit
        time.sleep(0.04)
server = RtspServer(int(sys.argv[1]), show, lambda: len(viewers) == 2)
print("ready", flush=True)
server.serve_forever()
"""


@pytest.fixture
def address() -> Iterator[str]:
    port = free_port()
    with subprocess.Popen([sys.executable, "-c", _SERVER, str(port)], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == "ready\n"
        yield f"rtsp://127.0.0.1:{port}/"
        server.kill()


def test_each_viewer_sees_the_film_with_its_times_until_he_is_dropped(address: str) -> None:
    for _ in range(2):
        stream = open_stream(address)
        found = list(stream.pictures())
        stream.close()
        assert len(found) >= 30
        assert [image.shape for image, _ in found[-30:]] == [(48, 64, 3)] * 15 + [(64, 96, 3)] * 15
        means = [float(image.mean()) for image, _ in found[-30:]]
        assert means == pytest.approx([10 * number for number in range(15)] * 2, abs=4)
        times = [at_s for _, at_s in found if at_s is not None]
        assert len(times) == len(found)
        assert np.diff(times).min() >= 0.039  # its clock is the server's, which waits so long at least
    with pytest.raises(ConnectError, match="cannot be opened"), open_network(address):
        pass
