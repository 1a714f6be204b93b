"""What every sprayer must do; a rig that can count drops shows it."""

import pytest


def test_spraying_takes_its_time_and_wets_the_plate(rig):
    if rig.camera.read().drops is None:
        pytest.skip("this rig cannot count drops")
    before_s = rig.clock.now_s()
    rig.sprayer.spray(0.5)
    assert rig.clock.now_s() - before_s >= 0.5
    once = rig.camera.read().drops.count
    rig.sprayer.spray(0.5)
    assert rig.camera.read().drops.count > once > 0
    rig.sprayer.dry()
    assert rig.camera.read().drops.count == 0


def test_it_closes_twice(rig):
    rig.sprayer.close()
    rig.sprayer.close()
