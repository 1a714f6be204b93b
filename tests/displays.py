"""Virtual displays, and rigs of real screens and cameras on them."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import which
from typing import Any

import pytest
import yaml

import rigs
from rigs.loopback import DISPLAY_PROCESS, loopback
from tests.camera_bench import needs
from tests.rig_files import SIMULATED

LOOPBACK = Path(rigs.__file__).with_name("loopback.yaml")
FPS = 10


@contextmanager
def loopback_names() -> Iterator[dict[str, str]]:
    """Run the loopback bench's servers; give the names of its environment."""
    if which("Xvfb") is None:
        pytest.skip("needs Xvfb: apt-get install xvfb")
    needs("xcffib", "screen")
    with loopback() as names:
        yield names


@contextmanager
def virtual_display() -> Iterator[str]:
    """Run an X server without a monitor, 1280 × 720; give its name."""
    with loopback_names() as names:
        yield names["DISPLAY"]


def kill_server(names: dict[str, str]) -> None:
    """End the display the hard way."""
    os.kill(int(names[DISPLAY_PROCESS]), signal.SIGKILL)


def loopback_rig(folder: Path, display: str, *, port: str | None = None, glass: bool = True, **screen: Any) -> Path:
    """Write the loopback rig for a display at a rate that a busy machine keeps; keywords change the screen.

    Without a port, its stage and sprayer are simulated.
    """
    settings = yaml.safe_load(LOOPBACK.read_text())
    grabs = settings["camera"]["camera"]
    grabs |= {"display": display, "fps": FPS, "timeout_s": 10.0}
    if not glass:
        settings["camera"] = grabs
    settings["screen"] |= {"display": display, **screen}
    if port is None:
        settings["stage"] = yaml.safe_load(SIMULATED.read_text())["stage"]
        settings["sprayer"] = {"kind": "simulated", "dry_s": 0.2}
    else:
        settings["stage"]["port"] = port
    path = folder / "rig.yaml"
    path.write_text(yaml.safe_dump(settings))
    return path
