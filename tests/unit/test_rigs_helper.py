"""A helper that is closed while another thread waits for it, as a watchdog does."""

import threading

import pytest

from natadv.errors import DeviceError
from rigs import helper as helpers
from rigs.helper import Helper

MUTE = "tests.mute_helper"


@pytest.mark.parametrize("way", ["receive", "send"])
def test_whoever_waits_for_a_helper_is_told_that_it_was_closed(way):
    helper = Helper(MUTE, name="screen (mute)", display=None)
    found = []
    begun = threading.Event()

    def wait():
        begun.set()
        try:
            if way == "receive":
                helper.receive(60)
            else:
                helper.send(bytes(50_000_000))  # more than a line takes that nobody reads
        except Exception as error:  # noqa: BLE001  # which one is what is tested
            found.append(error)

    waiting = threading.Thread(target=wait)
    waiting.start()
    assert begun.wait(60)
    assert not found
    helper.close()
    helper.close()
    waiting.join(60)
    (error,) = found
    assert isinstance(error, DeviceError)
    assert str(error) == "screen (mute): closed"
    for call in (lambda: helper.receive(0.1), lambda: helper.send(1)):
        with pytest.raises(DeviceError, match="closed"):
            call()


def test_a_helper_that_ends_by_itself_says_what_it_said_last():
    helper = Helper("tests.no_such_helper", name="screen (none)", display=None)
    with pytest.raises(DeviceError, match=r"screen \(none\): gone \(.*No module named tests.no_such_helper"):
        helper.receive(60)
    helper.close()


def test_a_helper_that_does_not_read_is_not_waited_for_for_ever(monkeypatch):
    monkeypatch.setattr(helpers, "_STUCK_S", 0.5)
    helper = Helper(MUTE, name="screen (mute)", display=None)
    try:
        with pytest.raises(DeviceError, match=r"screen \(mute\): does not take what it is sent; .* --resume"):
            helper.send(bytes(50_000_000))
        with pytest.raises(DeviceError, match=r"screen \(mute\)"):  # half of it is in the line
            helper.receive(60)
    finally:
        helper.close()


def test_a_helper_that_stops_in_the_midst_of_a_word_is_not_waited_for_for_ever(monkeypatch):
    monkeypatch.setattr(helpers, "_STUCK_S", 0.5)
    helper = Helper("tests.half_helper", name="camera (half)", display=None)
    try:
        with pytest.raises(DeviceError, match=r"camera \(half\): stopped in the midst of an answer; .* --resume"):
            helper.receive(60)
    finally:
        helper.close()
