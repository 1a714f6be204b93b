"""One contract per kind of device; every rig file runs it.

The simulated one always; stages and sprayers on stand-ins of both GRBL firmwares too, on the controller whose port or
URL the environment variable NATADV_GRBL names, and on a person who does what is asked; cameras on every driver that has
a stand-in here, see tests/camera_bench.py; screens on a virtual display, before the camera that grabs it; another rig
by `--rig FILE`.
"""

import os
import re
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
import yaml

from natadv.errors import DeviceError
from natadv.raindrops.pose import Pose
from rigs.firmware.kinds import KINDS
from rigs.firmware.terminal import Terminal
from rigs.operator import TerminalOperator
from rigs.rig import load_rig
from tests.camera_bench import CAMERAS, Bench, set_up
from tests.displays import loopback_rig, virtual_display
from tests.grbl_rig import found_block, small_setup, stage_block, write_rig
from tests.rig_files import small_rig

_GRBL = "NATADV_GRBL"
_PERSON = "person"
_ON_A_CONTROLLER = ("test_stage_contract", "test_sprayer_contract")


class _Willing:
    """A person who has done what is asked: nobody is there to wipe the plate of a controller without one."""

    def tell(self, message):
        pass

    def ask(self, message):
        pass

    def cancel(self):
        pass


class _Person(_Willing):
    """One who does the work, and takes the time that it takes."""

    def ask(self, message):
        if sprays := re.match(r"spray .* ([\d.]+) s", message):
            time.sleep(float(sprays[1]))


class _Noted:
    """Another operator, and all that was said to it in `heard`."""

    def __init__(self, operator):
        self.heard = []
        self.cancel, self._operator = operator.cancel, operator

    def tell(self, message):
        self.heard.append(message)
        self._operator.tell(message)

    def ask(self, message):
        self.heard.append(message)
        self._operator.ask(message)


_ON_A_DISPLAY = {
    "window": {"kind": "window"},
    "glfw": {"kind": "glfw"},
    "x11": {"kind": "window"},
    "wet": {"kind": "window"},
}
_HAVE_MORE = {
    "test_camera_contract": (*CAMERAS, "x11"),
    "test_screen_contract": ("window", "glfw"),
    "test_sprayer_contract": ("wet",),
}


def pytest_generate_tests(metafunc):
    if "rig_file" in metafunc.fixturenames:
        files = ["simulated", *metafunc.config.getoption("--rig")]
        if "persons_rig" in metafunc.fixturenames:
            metafunc.parametrize("rig_file", [_PERSON, *files[1:]])
            return
        if metafunc.module.__name__.rpartition(".")[2] in _ON_A_CONTROLLER:
            files += [*KINDS, *([_GRBL] if os.environ.get(_GRBL) else [])]
            files += [] if "posed_rig" in metafunc.fixturenames else [_PERSON]
        files += _HAVE_MORE.get(metafunc.module.__name__.rpartition(".")[2], ())
        metafunc.parametrize("rig_file", files)


@pytest.fixture(scope="module")
def display():
    with virtual_display() as name:
        yield name


@pytest.fixture(scope="module")
def controllers(tmp_path_factory):
    """Give the rig's file of a controller; stand-ins run until the module's end."""
    written = {}
    with ExitStack() as running:

        def rig_of(name):
            if name not in written:
                path = tmp_path_factory.mktemp("rig") / "rig.yaml"
                if name in KINDS:
                    terminal = running.enter_context(Terminal(small_setup(name)))
                    written[name] = write_rig(path, stage_block(name, terminal.port), blower="M7", blow_s=0.2)
                else:
                    written[name] = write_rig(path, found_block(os.environ[_GRBL]))
            return written[name]

        yield rig_of


@pytest.fixture
def rig_settings(rig_file, controllers, tmp_path, monkeypatch, request):
    if rig_file in CAMERAS:
        for path in set_up(rig_file, Bench(tmp_path, monkeypatch)):
            yield load_rig(path)
    elif rig_file in _ON_A_DISPLAY:
        display = request.getfixturevalue("display")
        yield load_rig(loopback_rig(tmp_path, display, glass=rig_file == "wet", **_ON_A_DISPLAY[rig_file]))
    elif rig_file == _PERSON:
        yield load_rig(_persons_file(tmp_path))
    else:
        yield load_rig(controllers(rig_file) if rig_file in (*KINDS, _GRBL) else Path(rig_file))


def _persons_file(folder):
    settings = yaml.safe_load(small_rig(folder).read_text())
    settings |= {"stage": {"kind": "manual"}, "sprayer": {"kind": "operator"}}
    (folder / "person.yaml").write_text(yaml.safe_dump(settings))
    return folder / "person.yaml"


@pytest.fixture(scope="module")
def kept_rigs():
    """Rigs on controllers stay open from test to test, as homing takes time."""
    kept = {}
    yield kept
    for opened, _ in kept.values():
        opened.close()


@pytest.fixture
def rig(rig_settings, rig_file, kept_rigs):
    if rig_file not in (*KINDS, _GRBL):
        with rig_settings.open(operator=_Noted(_Person() if rig_file == _PERSON else TerminalOperator())) as rig:
            yield rig
            rig.stage.stop()
        return
    if rig_file not in kept_rigs:
        opened = ExitStack()
        kept_rigs[rig_file] = opened, opened.enter_context(rig_settings.open(operator=_Willing()))
    opened, rig = kept_rigs[rig_file]
    yield rig
    try:
        rig.sprayer.spray(0.0)
        rig.stage.follow([Pose()])
        while rig.stage.is_moving():
            rig.clock.sleep(0.02)
    except DeviceError:  # the test has closed something, or broken it: the next one opens it anew
        kept_rigs.pop(rig_file)
        opened.close()


@pytest.fixture
def posed_rig(rig, rig_settings):
    """A rig whose stage knows where it is."""
    if rig_settings.stage.asks:
        pytest.skip("this rig's stage is a person, who cannot say where the plate is")
    return rig


@pytest.fixture
def persons_rig(rig, rig_settings):
    """A rig whose stage is a person."""
    if not rig_settings.stage.asks:
        pytest.skip("this rig's stage is no person")
    return rig
