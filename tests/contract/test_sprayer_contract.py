"""What every sprayer must do; a rig that can count drops shows it."""

import numpy as np
import pytest

from natadv.errors import DeviceError
from natadv.raindrops.drops import Drops
from rigs.sprayer.base import Placer


def test_spraying_takes_its_time(rig):
    before_s = rig.clock.now_s()
    rig.sprayer.spray(0.5)
    assert rig.clock.now_s() - before_s >= 0.5
    rig.sprayer.dry()


def test_spraying_wets_the_plate(rig, rig_settings):
    # A simulated camera counts the drops of its own world, in which a real sprayer is not.
    if rig_settings.camera.kind == "simulated" != rig_settings.sprayer.kind or rig.camera.read().drops is None:
        pytest.skip("this rig cannot count drops")
    rig.sprayer.spray(0.5)
    once = rig.camera.read().drops.count
    rig.sprayer.spray(0.5)
    assert rig.camera.read().drops.count > once > 0
    rig.sprayer.dry()
    assert rig.camera.read().drops.count == 0


def test_drops_are_placed_where_they_are_told(rig):
    if not isinstance(rig.sprayer, Placer):
        pytest.skip("this rig's sprayer cannot place drops")
    rig.sprayer.spray(0.5)
    drops = Drops.empty((60.0, 60.0)).sprayed(np.random.default_rng(0))
    before_s = rig.clock.now_s()
    rig.sprayer.place(drops, 0.5)
    assert rig.clock.now_s() - before_s >= 0.5
    assert rig.camera.read().drops.count == len(drops)
    rig.sprayer.dry()
    assert rig.camera.read().drops.count == 0
    rig.sprayer.close()
    with pytest.raises(DeviceError, match="closed"):
        rig.sprayer.place(drops, 0.5)


def test_a_closed_one_sprays_nothing(rig):
    rig.sprayer.close()
    with pytest.raises(DeviceError, match="closed"):
        rig.sprayer.spray(0.1)


def test_it_closes_twice(rig):
    rig.sprayer.close()
    rig.sprayer.close()
