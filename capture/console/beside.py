"""Beside: the page of a command that records, or looks at a rig alone, from before it begins until it has ended."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from capture.console.console import Console, Mode
from capture.console.preview import chart, opened, preview
from capture.console.serving import console_page
from capture.control import Control
from capture.events import Outcome
from capture.tap import Tap
from edge.page.address import PageOptions
from natadv.errors import ConfigError
from rigs.geometry import ScreenGeometry
from rigs.rig import RigSettings


@contextmanager
def beside(
    rig: RigSettings, options: PageOptions | None, say: Callable[[str], None], *, mode: Mode = "record"
) -> Iterator[Console | None]:
    """Serve a console's page meanwhile; None where none is wanted.

    Args:
        rig: that is looked at.
        options: where and for whom.
        say: is told the address.
        mode: see Console.

    Raises:
        ConfigError, ResourceError: if it cannot be served.
    """
    if options is None:
        yield None
        return
    console = Console(rig.name, Control(), Tap(), geometry=_geometry(rig), mode=mode)
    with console_page(console, options) as url:
        say(f"the operator's page: {url}")
        yield console


def awaited(console: Console, rig: RigSettings) -> Outcome | None:
    """Show the rig until start is pressed, where that is waited for; return why there is no session, if so."""
    if console.started:
        return None
    if preview(opened(rig, console), console, chart(rig.screen.chart_px)):
        return None
    return "emergency" if console.control.halted_by else "ended"


def _geometry(rig: RigSettings) -> ScreenGeometry | None:
    try:
        return rig.geometry()
    except ConfigError:  # not calibrated yet: then no outline is drawn
        return None
