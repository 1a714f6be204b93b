"""One contract per kind of device; every rig file runs it: the simulated one always, another by `--rig FILE`."""

from pathlib import Path

import pytest

from rigs.rig import load_rig


def pytest_generate_tests(metafunc):
    if "rig_file" in metafunc.fixturenames:
        metafunc.parametrize("rig_file", ["simulated", *metafunc.config.getoption("--rig")])


@pytest.fixture
def rig_settings(rig_file):
    return load_rig(Path(rig_file))


@pytest.fixture
def rig(rig_settings):
    with rig_settings.open() as rig:
        yield rig
        rig.stage.stop()
