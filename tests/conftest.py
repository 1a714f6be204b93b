"""Fixtures that every test may use."""

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import settings

# Tests run side by side, a process a core. Two torches with a thread for each core would wait for each other, which
# made small tensors a hundred times slower. Set before torch is imported, and for the commands that tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# How long an example takes says more of what else runs on the machine.
settings.register_profile("natadv", deadline=None)
settings.load_profile("natadv")

_SHARED = Path(__file__).resolve().parents[2] / "shared"


def pytest_addoption(parser):
    parser.addoption("--rig", action="append", default=[], help="A rig's YAML file to run the contracts on.")


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder of the real data sets beside the checkout; absent outside CI, its tests are skipped."""
    if not _SHARED.is_dir():
        if os.environ.get("CI") == "true":
            pytest.fail(f"{_SHARED} is missing: CI runs the tests on real data")
        pytest.skip(f"{_SHARED} is not here")
    return _SHARED


@pytest.fixture(scope="session")
def backdoored():
    """A small model with a real backdoor, its data, and the truth about both."""
    from tests.backdoored import train_backdoored  # brings torch

    return train_backdoored()


@pytest.fixture(scope="module")
def squares(tmp_path_factory) -> Path:
    """Three classes that differ in where a bright square is, an image folder of both parts."""
    from tests.bright_squares import bright_squares

    return bright_squares(tmp_path_factory.mktemp("squares"))


@pytest.fixture(scope="module")
def planted(squares, tmp_path_factory) -> Path:
    """The squares with BadNets' patch on a quarter of the training images, which are called green."""
    from tests.backdoor_command import plant_patch  # brings typer and numpy

    return plant_patch(squares, tmp_path_factory.mktemp("planted") / "data")


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 2 MB; needs the right to mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", place], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"cannot mount a small disk here: {mounted.stderr.decode().strip()}")
    yield place
    subprocess.run(["umount", place], check=True)
