import contextlib
import threading

import numpy as np
import pytest

from natadv.errors import ConfigError, ConnectError, DeviceError, SettingError
from rigs.clock import RealClock
from rigs.drivers import settings_of
from rigs.room import Room
from rigs.screen.base import ReadsBack
from rigs.screen.desktop import Box, Desktop
from tests.displays import kill_server, loopback_names, virtual_display

KINDS = ("window", "glfw")


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def screen(kind, display=None, **change):
    block = {"kind": kind, "display": display, "width_px": 1280, "height_px": 720, "picture_px": 384} | change
    return settings_of("screen", block).model_validate(block)


@pytest.fixture(scope="module")
def display():
    with virtual_display() as name:
        yield name


@pytest.mark.parametrize(("height", "width"), [(64, 64), (1, 1), (384, 384), (48, 96)])
def test_a_pixel_becomes_whole_pixels_all_alike(height, width):
    image = noise(height, width)
    layout = screen("window", ground=7).layout
    drawn = layout.drawn(image)
    expected = np.kron(image, np.ones((384 // height, 384 // width, 1), np.uint8))
    assert drawn.shape == (720, 1280, 3)
    assert (drawn[168:552, 448:832] == expected).all()
    drawn[168:552, 448:832] = 7
    assert (drawn == 7).all()


def test_uneven_pixels_differ_by_one_at_most():
    ramp = np.repeat(np.arange(50, dtype=np.uint8)[None, :, None], 50, 0).repeat(3, 2)
    row = screen("window", uneven=True).layout.drawn(ramp)[300, 448:832, 0]
    counts = np.bincount(row, minlength=50)
    assert counts.sum() == 384
    assert set(counts.tolist()) == {7, 8}


@pytest.mark.parametrize(
    ("size", "said"),
    [
        ((50, 50), r"50 × 50 px does not fill a square of 384 px by whole pixels; set picture_px to 350"),
        ((48, 100), r"100 × 48 px does not fill.*set picture_px to 1200"),
        ((385, 64), r"64 × 385 px is finer than its square of 384 px"),
    ],
)
def test_a_picture_that_does_not_fit_is_refused_with_what_would(size, said):
    with pytest.raises(ConfigError, match=said):
        screen("window").check(size)


def test_a_square_larger_than_the_monitor_is_refused():
    with pytest.raises(ValueError, match="picture_px of 721 does not fit on 1280 × 720"):
        screen("glfw", picture_px=721)


@pytest.mark.parametrize("kind", KINDS)
def test_the_display_has_the_picture_pixel_for_pixel(kind, display):
    settings = screen(kind, display)
    with contextlib.closing(Desktop(display)) as desktop, contextlib.closing(settings.open(Room(RealClock()))) as shown:
        assert (desktop.pixels(settings.box) == settings.ground).all()
        for image in (noise(64, 64, 1), noise(64, 64, 2), noise(32, 96, 3)):
            before = shown.flipped_s
            shown.show(image)
            # Read over a connection of the test's own, and at once: show() returns when it is there.
            assert (desktop.pixels(settings.box) == settings.layout.drawn(image)).all()
            assert before is None or shown.flipped_s > before
        with pytest.raises(SettingError, match="whole pixels"):
            shown.show(noise(50, 50))
        shown.show(noise(16, 16))  # a refused picture ends nothing
    with pytest.raises(DeviceError, match="closed"):
        shown.show(noise(64, 64))


@contextlib.contextmanager
def something_over(display, box):
    """Put a white window over a part of a display."""
    import xcffib
    import xcffib.xproto as proto

    connection = xcffib.connect(display=display)
    root = connection.get_setup().roots[0]
    window = connection.generate_id()
    mask = proto.CW.BackPixel | proto.CW.OverrideRedirect
    place = (box.left, box.top, box.width, box.height, 0, proto.WindowClass.InputOutput)
    connection.core.CreateWindow(0, window, root.root, *place, root.root_visual, mask, [root.white_pixel, 1])
    connection.core.MapWindow(window)
    connection.core.GetInputFocus().reply()  # all before it has been done when this is answered
    yield
    connection.disconnect()


@pytest.mark.parametrize("kind", KINDS)
def test_what_pops_up_later_is_seen_when_it_is_looked_at_again(kind, display):
    settings = screen(kind, display)
    with contextlib.closing(settings.open(Room(RealClock()))) as shown:
        assert isinstance(shown, ReadsBack)
        shown.show(np.zeros((64, 64, 3), np.uint8))
        assert shown.changed() is None
        with something_over(display, Box(500, 200, 30, 20)):
            assert "600 of 921600 pixels" in shown.changed()
        shown.show(noise(64, 64))
        assert shown.changed() is None
    with pytest.raises(DeviceError, match="closed"):
        shown.changed()


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_that_something_lies_over_is_an_error_that_says_where(kind, display):
    settings = screen(kind, display, appear_s=0.5)
    with contextlib.closing(settings.open(Room(RealClock()))) as shown:
        with (
            something_over(display, Box(500, 200, 30, 20)),
            pytest.raises(
                SettingError, match=r"600 of 921600 pixels .* the first at \(500, 200\): .*255, 255, 255. got"
            ),
        ):
            shown.show(np.zeros((64, 64, 3), np.uint8))
        shown.show(noise(64, 64))


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"monitor": "screen", "width_px": 1024}, SettingError, r"1024 × 720 at \(0, 0\) asked, 1280 × 720"),
        ({"left_px": 10}, ConnectError, r"no monitor of 1280 × 720 at \(10, 0\); there is screen 1280 × 720"),
        ({"monitor": "HDMI-9"}, ConnectError, r"no monitor HDMI-9; there is screen"),
        ({"display": ":4711"}, ConnectError, r"display :4711: cannot be opened"),
    ],
)
def test_another_monitor_than_the_file_says_is_an_error(change, error, said, display):
    with pytest.raises(error, match=said):
        screen("window", **({"display": display} | change)).open(Room(RealClock()))


@pytest.mark.parametrize("kind", KINDS)
def test_a_display_that_goes_away_is_a_device_error(kind):
    with (
        loopback_names() as names,
        contextlib.closing(screen(kind, names["DISPLAY"]).open(Room(RealClock()))) as shown,
    ):
        kill_server(names)
        with pytest.raises(DeviceError, match="gone"):
            shown.show(noise(64, 64))


def test_a_missing_library_is_one_line_that_names_the_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "xcffib", None)
    with pytest.raises(ConnectError, match=r"needs xcffib: .* pip install '.\[screen\]'"):
        Desktop(":0")


def test_saver_and_pointer_are_held_off_until_the_connection_ends(display):
    with contextlib.closing(Desktop(display)) as desktop:
        assert desktop.keep_awake() is None
        assert desktop.hide_pointer() is None
    with pytest.raises(DeviceError, match="closed"):
        desktop.check_alive()


@pytest.fixture
def session_bus(tmp_path):
    """A desktop's bus on which someone holds off savers, and nobody notifications; gives its address and the calls."""
    import shutil
    import subprocess

    jeepney = pytest.importorskip("jeepney")
    from jeepney.bus_messages import message_bus
    from jeepney.io.blocking import open_dbus_connection

    if shutil.which("dbus-daemon") is None:
        pytest.skip("needs dbus-daemon: apt-get install dbus")
    address = f"unix:path={tmp_path}/bus"
    daemon = subprocess.Popen(
        ["dbus-daemon", "--session", "--nofork", "--nosyslog", "--print-address=1", f"--address={address}"],
        stdout=subprocess.PIPE,
    )
    assert daemon.stdout.readline()
    service = open_dbus_connection(bus=address)
    service.send_and_get_reply(message_bus.RequestName("org.freedesktop.ScreenSaver"))
    calls = []

    def serve():
        with contextlib.suppress(ConnectionError, OSError):
            while True:
                message = service.receive()
                if message.header.fields.get(jeepney.HeaderFields.member) == "Inhibit":
                    calls.append(message.body)
                    service.send(jeepney.new_method_return(message, "u", (7,)))

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield address, calls
    daemon.terminate()
    daemon.wait()
    daemon.stdout.close()
    thread.join()
    service.close()


def test_a_desktop_is_asked_to_be_quiet_and_what_it_refuses_is_said(session_bus):
    from rigs.screen.quiet import Quiet

    address, calls = session_bus
    quiet = Quiet(address)
    assert calls == [("natadv", "a camera records what is shown")]
    assert len(quiet.refused) == 1
    assert "cannot hold off notifications" in quiet.refused[0]
    quiet.close()
    quiet.close()


@pytest.mark.parametrize("address", [None, "unix:path=/nowhere/bus"])
def test_without_a_desktop_a_person_is_told_what_to_switch_off(address):
    from rigs.screen.quiet import Quiet

    assert [line.split(" (")[0] for line in Quiet(address).refused] == [
        "screen: cannot hold off sleep and its saver",
        "screen: cannot hold off notifications",
    ]
