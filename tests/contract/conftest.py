"""One contract per kind of device; every rig file runs it: the simulated one always, another by `--rig FILE`.

The cameras' contract is run by every driver that has a stand-in here, too; see tests/camera_bench.py.
"""

from pathlib import Path

import pytest

from rigs.rig import load_rig
from tests.camera_bench import CAMERAS, Bench, set_up


def pytest_generate_tests(metafunc):
    if "rig_file" in metafunc.fixturenames:
        cameras = CAMERAS if metafunc.module.__name__.endswith("test_camera_contract") else ()
        metafunc.parametrize("rig_file", ["simulated", *metafunc.config.getoption("--rig"), *cameras])


@pytest.fixture
def rig_settings(rig_file, tmp_path, monkeypatch):
    if rig_file in CAMERAS:
        for path in set_up(rig_file, Bench(tmp_path, monkeypatch)):
            yield load_rig(path)
    else:
        yield load_rig(Path(rig_file))


@pytest.fixture
def rig(rig_settings):
    with rig_settings.open() as rig:
        yield rig
        rig.stage.stop()
