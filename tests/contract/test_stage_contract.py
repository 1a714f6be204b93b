"""What every stage must do."""

import pytest

from natadv.raindrops.pose import Pose


def _wait(rig):
    for _ in range(2000):
        if not rig.stage.is_moving():
            return
        rig.clock.sleep(0.02)
    pytest.fail("the stage never arrived")


def _close_to(pose, other):
    return pose.x_mm == pytest.approx(other.x_mm, abs=0.05) and pose.angle_deg == pytest.approx(
        other.angle_deg, abs=0.1
    )


def test_it_arrives_after_some_time_and_returns_at_once(rig):
    target = Pose(5, -3, 20)
    rig.stage.follow([target])
    assert rig.stage.is_moving()
    assert not _close_to(rig.stage.pose(), target)
    _wait(rig)
    assert _close_to(rig.stage.pose(), target)


def test_stop_leaves_it_short_of_its_target(rig):
    rig.stage.follow([Pose(10, 0, 0)])
    rig.clock.sleep(0.1)
    rig.stage.stop()
    assert not rig.stage.is_moving()
    here = rig.stage.pose()
    rig.clock.sleep(1.0)
    assert rig.stage.pose() == here
    assert here.x_mm < 10


def test_a_new_path_replaces_the_old_one_without_a_jump(rig):
    rig.stage.follow([Pose(10, 0, 0), Pose(0, 0, 0)])
    rig.clock.sleep(0.1)
    before = rig.stage.pose()
    rig.stage.follow([Pose(-4, 0, 0)])
    assert _close_to(rig.stage.pose(), before)
    _wait(rig)
    assert _close_to(rig.stage.pose(), Pose(-4, 0, 0))


def test_out_of_travel_is_refused_and_does_not_move(rig):
    before = rig.stage.pose()
    with pytest.raises(ValueError, match="travel"):
        rig.stage.follow([Pose(1, 0, 0), Pose(1e4, 0, 0)])
    assert rig.stage.pose() == before
    assert not rig.stage.is_moving()


def test_it_closes_twice(rig):
    rig.stage.close()
    rig.stage.close()
