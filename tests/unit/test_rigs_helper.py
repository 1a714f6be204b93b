"""A helper that is closed while another thread waits for it, as a watchdog does."""

import threading

import pytest

from natadv.errors import DeviceError
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
