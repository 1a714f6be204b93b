"""Fixtures that every test may use."""

import os
from pathlib import Path

import pytest

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
