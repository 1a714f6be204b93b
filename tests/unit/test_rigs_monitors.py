"""Two monitors of different sizes, on X.Org's dummy driver."""

import contextlib
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from natadv.errors import ConnectError, SettingError
from rigs.clock import RealClock
from rigs.drivers import settings_of
from rigs.room import Room
from rigs.screen.desktop import Box, Desktop
from tests.camera_bench import needs

ONE, TWO = Box(0, 0, 1024, 768), Box(1024, 0, 800, 600)

CONFIGURATION = """
Section "ServerFlags"
  Option "AutoAddDevices" "false"
EndSection
Section "Device"
  Identifier "dummy"
  Driver "dummy"
  VideoRam 65536
  Option "Monitor-DUMMY0" "one"
  Option "Monitor-DUMMY1" "two"
EndSection
Section "Monitor"
  Identifier "one"
  HorizSync 1-2000
  VertRefresh 1-400
  Option "PreferredMode" "1024x768"
  Option "Enable" "true"
  Option "Primary" "true"
EndSection
Section "Monitor"
  Identifier "two"
  HorizSync 1-2000
  VertRefresh 1-400
  Option "PreferredMode" "800x600"
  Option "Enable" "true"
  Option "Position" "1024 0"
EndSection
Section "Screen"
  Identifier "screen"
  Device "dummy"
  Monitor "one"
  DefaultDepth 24
  SubSection "Display"
    Depth 24
    Virtual 1824 768
  EndSubSection
EndSection
"""


@pytest.fixture(scope="module")
def display(tmp_path_factory):
    needs("xcffib", "screen")
    if shutil.which("Xorg") is None or not list(Path("/usr/lib").rglob("dummy_drv.so")):
        pytest.skip("needs Xorg and its dummy driver: apt-get install xserver-xorg-core xserver-xorg-video-dummy")
    folder = tmp_path_factory.mktemp("xorg")
    (folder / "xorg.conf").write_text(CONFIGURATION)
    server = subprocess.Popen(
        [
            "Xorg",
            "-displayfd",
            "1",
            "-config",
            folder / "xorg.conf",
            "-logfile",
            folder / "log",
            "-nolisten",
            "tcp",
            "-noreset",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    number = server.stdout.readline().decode().strip()
    if not number:
        server.wait()
        pytest.skip(f"Xorg does not start here: {(folder / 'log').read_text()[-200:]}")
    yield f":{number}"
    server.terminate()
    try:
        server.wait(10)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
    server.stdout.close()


def screen(kind, display, box, **change):
    block = {"kind": kind, "display": display, "picture_px": 384, "left_px": box.left, "top_px": box.top}
    block |= {"width_px": box.width, "height_px": box.height} | change
    return settings_of("screen", block).model_validate(block)


def test_monitors_are_found_with_their_places(display):
    with contextlib.closing(Desktop(display)) as desktop:
        assert [(m.name, m.box, m.primary) for m in desktop.monitors()] == [
            ("DUMMY0", ONE, True),
            ("DUMMY1", TWO, False),
        ]


@pytest.mark.parametrize("kind", ["window", "glfw"])
@pytest.mark.parametrize(("name", "box"), [("DUMMY0", ONE), (None, TWO), ("DUMMY1", TWO)])
def test_the_picture_is_on_the_chosen_monitor_pixel_for_pixel(kind, name, box, display):
    settings = screen(kind, display, box, monitor=name)
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    with contextlib.closing(Desktop(display)) as desktop, contextlib.closing(settings.open(Room(RealClock()))) as shown:
        shown.show(image)
        assert (desktop.pixels(box) == settings.layout.drawn(image)).all()
        other = ONE if box is TWO else TWO
        assert not (desktop.pixels(other) == settings.ground).all()


@pytest.mark.parametrize(
    ("name", "box", "error", "said"),
    [
        ("DUMMY1", ONE, SettingError, r"DUMMY1: 1024 × 768 at \(0, 0\) asked, 800 × 600 at \(1024, 0\) got"),
        (None, Box(0, 0, 800, 600), ConnectError, "no monitor of 800 × 600 at .* DUMMY0 1024 × 768"),
    ],
)
def test_a_monitor_that_is_elsewhere_is_an_error(name, box, error, said, display):
    with pytest.raises(error, match=said):
        screen("window", display, box, monitor=name).open(Room(RealClock()))
