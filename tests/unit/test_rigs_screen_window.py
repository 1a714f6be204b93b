"""A window that is there and draws nothing is made anew, before its screen is given up."""

from contextlib import ExitStack

import numpy as np
import pytest

from natadv.errors import SettingError
from rigs.screen import process
from rigs.screen.desktop import Box
from rigs.screen.window import WindowSettings


class Display:
    """A display and its window toolkit, some of whose windows never draw."""

    def __init__(self, blind):
        self.blind, self.closed = list(blind), []
        self.shown = np.zeros((48, 64, 3), np.uint8)
        self.layout = WindowSettings(kind="window", width_px=64, height_px=48, picture_px=32).layout
        self.check_pixels, self.appear_s = True, 0.1

    def pixels(self, box):
        return self.shown

    def painter(self):
        return Window(self, self.blind.pop(0))


class Window:
    def __init__(self, display, blind):
        self.display, self.blind = display, blind

    def paint(self, pixels):
        if not self.blind:
            self.display.shown = pixels
        return 0.0

    def pump(self):
        pass

    def close(self):
        self.display.closed.append(self)


@pytest.fixture
def shown(monkeypatch):
    monkeypatch.setattr(process, "_FIRST_S", 0.05)

    def show(display, opened):
        return process._first_shown(display, display, Box(0, 0, 64, 48), opened)

    return show


@pytest.mark.parametrize("blind", [0, 1, 2])
def test_another_window_is_made_and_the_blind_ones_are_closed(shown, blind):
    display = Display([True] * blind + [False])
    with ExitStack() as opened:
        shower = shown(display, opened)
        assert np.array_equal(display.shown, display.layout.empty())
        assert len(display.closed) == blind
        assert not shower.painter.blind
    assert display.closed[-1] is shower.painter


def test_where_none_draws_it_is_said_and_none_is_left(shown):
    display = Display([True] * 3)
    with ExitStack() as opened, pytest.raises(SettingError, match="not what was shown"):
        shown(display, opened)
    assert len(display.closed) == 3
