"""The wet sprayer: drops on the simulated plate exactly when a real valve has been open."""

import numpy as np
import pytest
import yaml

from capture.watchdog import Limits
from natadv.errors import ConfigError, DeviceError
from rigs.bench import Bench, BenchSettings
from rigs.clock import VirtualClock
from rigs.rig import load_rig
from rigs.sprayer.wet import WetSprayer
from tests.displays import LOOPBACK


class Valve:
    """Notes what it is told; fails where it is to."""

    def __init__(self):
        self.told = []
        self.fails = False

    def _note(self, word):
        self.told.append(word)
        if self.fails:
            raise DeviceError("sprayer: gone")

    def spray(self, duration_s):
        self._note(("spray", duration_s))

    def dry(self):
        self._note("dry")

    def close(self):
        self.told.append("close")


@pytest.fixture
def world():
    world = Bench(BenchSettings(), VirtualClock())
    world.reseed(3)
    return world


@pytest.fixture
def valve():
    return Valve()


@pytest.fixture
def sprayer(world, valve):
    return WetSprayer(load_rig(LOOPBACK).sprayer, valve, world)


def test_drops_follow_the_valve(sprayer, world, valve):
    sprayer.spray(0.5)
    once = len(world.drops)
    sprayer.spray(0.5)
    assert len(world.drops) > once > 0
    sprayer.dry()
    sprayer.close()
    assert len(world.drops) == 0
    assert valve.told == [("spray", 0.5), ("spray", 0.5), "dry", "close"]


@pytest.mark.parametrize("call", [lambda sprayer: sprayer.spray(1.0), lambda sprayer: sprayer.dry()])
def test_a_valve_that_fails_leaves_the_plate_as_it_was(sprayer, world, valve, call):
    sprayer.spray(0.5)
    before, valve.fails = world.drops, True
    with pytest.raises(DeviceError, match="gone"):
        call(sprayer)
    assert world.drops is before


def test_drops_are_those_of_a_simulated_sprayer(sprayer, world):
    sprayer.spray(1.0)
    parameters = load_rig(LOOPBACK).sprayer.parameters
    expected = type(world.drops).empty().sprayed(np.random.default_rng(3), parameters, 1.0)
    assert len(expected) == len(world.drops)
    assert (expected.x_mm == world.drops.x_mm).all()


def test_a_sprayer_with_drops_of_its_own_is_refused(tmp_path):
    block = yaml.safe_load(LOOPBACK.read_text())
    block["sprayer"]["sprayer"] = {"kind": "simulated"}
    (tmp_path / "rig.yaml").write_text(yaml.safe_dump(block))
    with pytest.raises(ConfigError, match="has its own drops"):
        load_rig(tmp_path / "rig.yaml")


@pytest.mark.parametrize(
    ("stage", "sprayer", "stage_s", "sprayer_s", "open_s"),
    [
        ({"kind": "manual"}, {"kind": "operator"}, None, None, 180.0),
        ({"kind": "grbl", "port": "x"}, {"kind": "grbl"}, 30.0, None, 180.0),  # a person wipes the plate
        ({"kind": "grbl", "port": "x"}, {"kind": "grbl", "blower": "M7"}, 30.0, 300.0, 180.0),
        # a person puts the plate at home
        ({"kind": "grbl", "port": "x", "homing": "skip"}, {"kind": "grbl", "blower": "M7"}, 30.0, 300.0, None),
        ({"kind": "grbl", "port": "x"}, {"kind": "wet", "sprayer": {"kind": "operator"}}, 30.0, None, 180.0),
        ({"kind": "simulated"}, {"kind": "simulated"}, 30.0, 300.0, 180.0),
    ],
)
def test_a_person_takes_as_long_as_it_takes(tmp_path, stage, sprayer, stage_s, sprayer_s, open_s):
    block = yaml.safe_load(LOOPBACK.read_text()) | {"stage": stage, "sprayer": sprayer}
    (tmp_path / "rig.yaml").write_text(yaml.safe_dump(block))
    limits = Limits().of_rig(load_rig(tmp_path / "rig.yaml"))
    assert (limits.stage_s, limits.sprayer_s, limits.open_s) == (stage_s, sprayer_s, open_s)
    assert limits.camera_s == 30.0
