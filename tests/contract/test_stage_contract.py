"""What every stage must do."""

from itertools import pairwise

import numpy as np
import pytest

from natadv.errors import DeviceError
from natadv.raindrops.pose import Pose

_LOOK_S = 0.01
_FASTEST_MM_PER_S = 120.0
_FAR_MM = 24.0  # farther than any stage comes before it brakes


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
    rig.stage.follow([Pose(_FAR_MM, 0, 0)])
    rig.clock.sleep(0.1)
    rig.stage.stop()
    assert not rig.stage.is_moving()
    here = rig.stage.pose()
    rig.clock.sleep(1.0)
    assert rig.stage.pose() == here
    assert here.x_mm < _FAR_MM - 0.1


def test_a_new_path_replaces_the_old_one_without_a_jump(rig):
    rig.stage.follow([Pose(_FAR_MM, 0, 0), Pose(0, 0, 0)])
    rig.clock.sleep(0.1)
    begun_s = rig.clock.now_s()
    seen = [(begun_s, rig.stage.pose_at(begun_s))]
    rig.stage.follow([Pose(-4, 0, 0)])
    # A real one has to brake first: where it was meanwhile is asked afterwards.
    seen += [(s, rig.stage.pose_at(s)) for s in np.arange(begun_s, rig.clock.now_s(), _LOOK_S).tolist()[1:]]
    while rig.stage.is_moving():
        now_s = rig.clock.now_s()
        seen.append((now_s, rig.stage.pose_at(now_s)))
        rig.clock.sleep(_LOOK_S)
    seen = [(time_s, pose.x_mm) for time_s, pose in seen if pose is not None]
    assert len(seen) > 10
    for (before_s, before_mm), (after_s, after_mm) in pairwise(seen):
        assert abs(after_mm - before_mm) <= _FASTEST_MM_PER_S * (after_s - before_s) + 0.2
    assert max(x_mm for _, x_mm in seen) < _FAR_MM - 0.1
    assert _close_to(rig.stage.pose(), Pose(-4, 0, 0))


def test_out_of_travel_is_refused_and_does_not_move(rig):
    before = rig.stage.pose()
    with pytest.raises(ValueError, match="travel"):
        rig.stage.follow([Pose(1, 0, 0), Pose(1e4, 0, 0)])
    assert rig.stage.pose() == before
    assert not rig.stage.is_moving()


def test_what_is_no_pose_of_its_is_refused(rig):
    for wrong in (Pose(float("nan"), 0, 0), Pose(0, 0, float("inf")), Pose(0, -1e3, 0)):
        with pytest.raises(ValueError, match="travel"):
            rig.stage.follow([wrong])
    assert not rig.stage.is_moving()


def test_it_comes_by_every_pose_and_says_so_afterwards(rig):
    path = [Pose(4, 0, 0), Pose(4, 3, 10), Pose(0, 0, 0)]
    begun_s = rig.clock.now_s()
    rig.stage.follow(path)
    seen = []
    while rig.stage.is_moving():
        seen.append(rig.stage.pose_at(rig.clock.now_s()))
        rig.clock.sleep(_LOOK_S)
    assert rig.clock.now_s() > begun_s
    known = [pose for pose in seen if pose is not None]
    for target in path[:-1]:
        assert min(abs(p.x_mm - target.x_mm) + abs(p.y_mm - target.y_mm) for p in known) < 1.0


def test_a_closed_one_goes_nowhere(rig):
    rig.stage.close()
    with pytest.raises(DeviceError, match="closed"):
        rig.stage.follow([Pose(1, 0, 0)])


def test_it_closes_twice(rig):
    rig.stage.close()
    rig.stage.close()
